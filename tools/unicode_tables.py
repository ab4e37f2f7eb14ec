#!/usr/bin/env python3
"""Writes laurel/tokenizer/{unicode_class,normal_form}_tables.inc: the Unicode properties that `tokenizers` works with.

The wheel mixes several Unicode versions (regex classes, Rust's standard library, its normalization crate), so the
tables are not taken from any Unicode release: every code point is put through the wheel itself.

Needs: tokenizers==0.22.2, Python >= 3.11 (its unicodedata gives the canonical combining classes; the wheel says which of
them it knows). Usage: tools/unicode_tables.py [output folder]
"""
import sys
import unicodedata
from pathlib import Path

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

assert tokenizers.__version__ == "0.22.2", tokenizers.__version__

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
ALL = "".join(map(chr, CODE_POINTS))
HANGUL = range(0xAC00, 0xAC00 + 11172)


def regex_class(pattern):
    """Code points that match the one-character class, by the wheel's Oniguruma."""
    kept = normalizers.Replace(Regex(f"[^{pattern}]+"), "").normalize_str(ALL)
    return [ord(c) for c in kept]


def numeric():
    """Rust's char::is_numeric."""
    pieces = pre_tokenizers.Digits(individual_digits=True).pre_tokenize_str("".join(c + "a" for c in ALL if c != "a"))
    return [ord(text) for text, _ in pieces if len(text) == 1 and text != "a"]


def probe_added(token, make_text, expected):
    """Code points whose text, made by make_text, gives exactly `expected` unknown tokens beside the added one."""
    tokenizer = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    tokenizer.add_tokens([token])
    found = []
    step = 50000
    for start in range(0, len(CODE_POINTS), step):
        chunk = CODE_POINTS[start:start + step]
        for code, encoding in zip(chunk, tokenizer.encode_batch([make_text(chr(c)) for c in chunk])):
            if encoding.ids == expected:
                found.append(code)
    return found


def word():
    """Neighbors that keep a single_word token from matching (Rust regex's \\w)."""
    return probe_added(AddedToken("=x=", single_word=True, normalized=False), lambda c: c + "=x=", [0])


def strip_space():
    """White space that an lstrip token swallows (Rust regex's \\s)."""
    return probe_added(AddedToken("=x=", lstrip=True, normalized=False), lambda c: c + "=x=", [1])


def ranges(codes):
    result = []
    for code in codes:
        if result and result[-1][1] + 1 == code:
            result[-1][1] = code
        else:
            result.append([code, code])
    return result


def normal_forms():
    """Full canonical decompositions, canonical combining classes and primary composition pairs."""
    nfd, nfc = normalizers.NFD().normalize_str, normalizers.NFC().normalize_str
    decompositions = {c: nfd(chr(c)) for c in CODE_POINTS if c not in HANGUL and nfd(chr(c)) != chr(c)}
    classes = {}
    for code in range(0x300, 0x110000):
        ccc = unicodedata.combining(chr(code))
        mark = chr(code)
        if ccc and (nfd("a" + mark + "\u0334") == "a\u0334" + mark or nfd("a\u0301" + mark) == "a" + mark + "\u0301"
                    or ccc == 230 and nfd("a" + mark + "\u0316") == "a\u0316" + mark):
            classes[code] = ccc
    # A combining class that Python's tables do not know would show as a reordering here.
    for code in range(0x300, 0x110000):
        if 0xD800 <= code < 0xE000 or code in classes or code in decompositions or code in HANGUL:
            continue
        for text in ("a" + chr(code) + "\u0334", "a\u0345" + chr(code)):
            assert nfd(text) == text, hex(code)
    pairs = {}
    for code, text in decompositions.items():
        if len(text) < 2 or nfc(text) != chr(code):
            continue
        first = nfc(text[:-1])
        assert len(first) == 1, hex(code)
        pairs[(ord(first), ord(text[-1]))] = code
    return decompositions, classes, pairs


def array(out, type_name, name, values, per_line=12):
    out.append(f"constexpr {type_name} {name}[] = {{")
    for i in range(0, len(values), per_line):
        out.append("    " + ", ".join(values[i:i + per_line]) + ",")
    out.append("};\n")


def range_array(out, name, codes):
    """Ranges as (gap since the last range, length) pairs."""
    values, last = [], 0
    for first, end in ranges(codes):
        values += [str(first - last), str(end - first + 1)]
        last = end + 1
    array(out, "std::uint32_t", name, values, 24)


def write(folder, name, lines):
    header = ["// Made by tools/unicode_tables.py from tokenizers 0.22.2; do not edit.", "// clang-format off\n"]
    target = folder / name
    target.write_text("\n".join(header + lines + ["// clang-format on"]) + "\n")
    print(target, target.stat().st_size)


def class_tables():
    out = ["// Pairs of (code points skipped since the last range, code points in the range)."]
    for name, pattern in (("kLetterRanges", r"\p{L}"), ("kNumberRanges", r"\p{N}"), ("kUpperRanges", r"\p{Lu}\p{Lt}"),
                          ("kLowerRanges", r"\p{Ll}"), ("kMarkRanges", r"\p{M}")):
        range_array(out, name, regex_class(pattern))
    space = regex_class(r"\s")
    assert space == strip_space()
    range_array(out, "kSpaceRanges", space)
    range_array(out, "kNumericRanges", numeric())
    range_array(out, "kWordRanges", word())
    return out


def normal_form_tables():
    decompositions, classes, pairs = normal_forms()
    assert max(map(len, decompositions.values())) <= 4
    out = ["// (code point, canonical combining class), ordered."]
    array(out, "CombiningClass", "kCombiningClasses", [f"{{0x{c:x}, {v}}}" for c, v in sorted(classes.items())])
    out.append("// (code point, its full canonical decomposition, zeros at the end), ordered.")
    array(out, "Decomposition", "kDecompositions",
          [f"{{0x{c:x}, {{{', '.join(f'0x{ord(t):x}' for t in text)}}}}}" for c, text in sorted(decompositions.items())], 4)
    out.append("// (first, second, their primary composite), ordered.")
    array(out, "Composition", "kCompositions",
          [f"{{0x{a:x}, 0x{b:x}, 0x{c:x}}}" for (a, b), c in sorted(pairs.items())], 6)
    return out


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "laurel/tokenizer"
    write(folder, "unicode_class_tables.inc", class_tables())
    write(folder, "normal_form_tables.inc", normal_form_tables())


if __name__ == "__main__":
    main()
