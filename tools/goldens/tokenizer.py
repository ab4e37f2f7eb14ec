#!/usr/bin/env python3
"""Makes tests/goldens/tokenizer/: small tokenizers of each family, and what the reference makes of hard texts.

Needs: tokenizers==0.22.2, transformers==4.57.6. No input files: the training text is made here.
Usage: tools/goldens/tokenizer.py (the sweep over real texts is tools/goldens/tokenizer_sweep.py)
"""
import json
import os
import random
import tempfile
from pathlib import Path

import tokenizers
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

assert tokenizers.__version__ == "0.22.2" and transformers.__version__ == "4.57.6"
OUT = Path(__file__).parent.parent.parent / "tests/goldens/tokenizer"

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")
TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}"
          r"\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")

HARD = [
    "", " ", "  ", "\n", "\r\n", "\r\n\r\n", "\t", "\0", "a\0b", "\0\0\0", "Hello, world!", " Hello  world ",
    "   leading and trailing   ", "one\ntwo\r\nthree\rfour\n\n\nfive", "tabs\t\tand \t mixed \n \n ", "x  \n  y", "x \n",
    "  \n", "\n  ", "\n \n a", "don't I'm you'll they've he'd we're it's", "DON'T I'M YOU'LL THEY'VE HE'D WE'RE IT'S",
    "it\u017f '\u017f '\u017fa 'ſt", "'s's 'S'T 'lL 'Re 'vE", "' s 'l 'r 'v", "''s", "'", "'re've", "12345678901", "1 22 333 4444 55555",
    "3.14159e-10", "v1.2.3-rc4", "\u0661\u0662\u0663\u0664", "x\u00b2=\u00bd\u2167\u2460", "\u3007\u4e00\u4e8c", "caf\u00e9 cafe\u0301",
    "na\u00efve nai\u0308ve", "A\u030a\u0327 A\u0327\u030a \u212b \u1e9b\u0323", "\u1100\u1161\u11a8 \uac00\u11a8 \uac01 \u1100\u1161\u1161",
    "\u1df6\u0301 a\u0301\u1df6 \u0344 \u0958 \u2126 \U00011935\U00011930", "q\u0307\u0323 d\u0323\u0307", "\u0301leading mark",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \U0001f3f3\ufe0f\u200d\U0001f308 \U0001f44d\U0001f3fd \U0001f1e9\U0001f1ea", "\U0001f600\U0001f600\U0001f600",
    "\u4f60\u597d\uff0c\u4e16\u754c\u3002", "\u3053\u3093\u306b\u3061\u306f\u4e16\u754c", "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645", "\u0939\u093f\u0928\u094d\u0926\u0940", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
    "\u00a0nbsp\u00a0\u00a0x\u2003em\u3000wide\u200bzero", "\u180e\u1680\u2028\u2029\x85\x1c\x1f x", "\ufeffbom", "\uffff\ufffe\U0010ffff",
    "\u1c89\U000323b0\U00011de0\U00016ff4", "e" * 40, "ab" * 60, " " * 100, " " * 99 + "x", "\n" * 70, "=" * 80, "1" * 33, "e\u0301" * 30,
    "!?!? ...--- *** ___", "http://example.com/a?b=c&d=%20#e", "def f(x):\n    return x  # c\n\n\nclass A:\n\tpass\n",
    "{\"k\": [1, 2.0, null]}", "<b>bold</b>", "a<|x|>b", "<|im_start|>user\nHi<|im_end|>\n", "<|im_start|><|im_end|>", "<|im_start|", "<<|im_end|>>",
    " <|im_end|> ", "text<|im_end|>12345\n\n<|im_start|>\n", "<|IM_END|>", "<tool>a</tool> <tool>", "$\\alpha_{i}^{2}$", "C++ & C# | F#",
    "\u201cquoted\u201d \u2018s \u2019s don\u2019t", "\u00df\u1e9e\u0130\u0131\ufb01\u01c5", "a\u0300\u0301\u0302\u0303 b", "The reward is 0.5.\nThe model is right.", "....\n\n\n  ....\r\n",
    "\u2028\n\u2028x \u2028", " \u00a0 x", "\r", "\r\r\n \r", "word\u0301s \u0301s", "\u20e3 1\ufe0f\u20e3",
]


def training_text():
    rng = random.Random(7)
    words = ("the model is right and the reward of a good answer is higher than that of a bad one I you we they don't can't "
             "it's what where how many 12 345 2024 café naïve über 你好 世界 привет мир return def class value number question "
             "answer because therefore example list first second third user assistant hello world").split()
    lines = []
    for _ in range(3000):
        line = " ".join(rng.choice(words) for _ in range(rng.randint(3, 14)))
        if rng.random() < 0.3:
            line = line.capitalize()
        if rng.random() < 0.2:
            line = "    " + line
        lines.append(line + rng.choice([".\n", "!\n", "?\n\n", ":\r\n", " = 1;\n", "...", "  "]))
    return lines


def family(regex, digits):
    """Trains byte-level BPE behind the family's split and gives its tokenizer.json as an object."""
    tokenizer = Tokenizer(models.BPE())
    if digits:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(tokenizers.Regex(regex), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=600, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False)
    tokenizer.train_from_iterator(training_text(), trainer)
    return json.loads(tokenizer.to_str())


def added(id, content, **flags):
    token = dict(id=id, content=content, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
    token.update(flags)
    return token


def families():
    llama3 = family(LLAMA3, False)
    # A token that no merges lead to: only ignore_merges finds it.
    llama3["model"]["vocab"]["\u0120quotedword"] = len(llama3["model"]["vocab"])
    size = len(llama3["model"]["vocab"])
    names = ["<|begin_of_text|>", "<|end_of_text|>", "<|im_start|>", "<|im_end|>"]
    specials = [added(size + i, name) for i, name in enumerate(names)]
    llama3["added_tokens"] = specials
    llama3["model"]["ignore_merges"] = True
    llama3["model"]["merges"] = [" ".join(pair) for pair in llama3["model"]["merges"]]  # as Meta's file has them
    llama3["post_processor"] = {"type": "Sequence", "processors": [
        {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
        {"type": "TemplateProcessing",
         "single": [{"SpecialToken": {"id": names[0], "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
         "pair": [{"SpecialToken": {"id": names[0], "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                  {"SpecialToken": {"id": names[0], "type_id": 1}}, {"Sequence": {"id": "B", "type_id": 1}}],
         "special_tokens": {names[0]: {"id": names[0], "ids": [size], "tokens": [names[0]]}}}]}
    qwen2 = family(QWEN2, False)
    size = len(qwen2["model"]["vocab"])
    qwen2["normalizer"] = {"type": "NFC"}
    qwen2["added_tokens"] = [added(size, "<|endoftext|>"), added(size + 1, "<|im_start|>"), added(size + 2, "<|im_end|>"),
                             added(size + 3, "<tool>", special=False), added(size + 4, "</tool>", special=False)]
    qwen2["post_processor"] = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    smollm2 = family(None, True)
    vocab = {"<|endoftext|>": 0, "<|im_start|>": 1, "<|im_end|>": 2}
    vocab.update((token, id + 3) for token, id in smollm2["model"]["vocab"].items())
    smollm2["model"]["vocab"] = vocab
    smollm2["added_tokens"] = [added(i, name) for i, name in enumerate(list(vocab)[:3])]
    return {"llama3": llama3, "qwen2": qwen2, "smollm2": smollm2}


def fnv(ids, state=0xcbf29ce484222325):
    """FNV-1a over 32-bit ids."""
    for id in ids:
        state = ((state ^ id) * 0x100000001b3) & 0xFFFFFFFFFFFFFFFF
    return state


def sweep_code_points():
    """Every code point where Unicode has assigned any, and some of the others."""
    for code in range(0x110000):
        if not 0xD800 <= code < 0xE000 and (code < 0x34000 or 0xE0000 <= code < 0xE1000 or code % 64 == 63):
            yield chr(code)


def sweep_texts():
    """256 code points a text: each alone on its line, between letters, behind an apostrophe and before a digit."""
    codes = list(sweep_code_points())
    for i in range(0, len(codes), 256):
        yield "".join(f"{c}\na{c}b '{c} {c}1\n" for c in codes[i:i + 256])


def encode_case(tokenizer, text):
    return {"text": text, "ids": tokenizer.encode(text).ids, "plain": tokenizer.encode(text, add_special_tokens=False).ids}


def write(name, value, **options):
    path = OUT / name
    path.write_text(json.dumps(value, ensure_ascii=False, **options) + "\n")
    print(path.name, path.stat().st_size)


def write_family(name, value):
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    (OUT / f"{name}.tokenizer.json").write_text(text + "\n")
    tokenizer = Tokenizer.from_str(text)
    texts = HARD + ["a quotedword b"]
    cases = [encode_case(tokenizer, text) for text in texts]
    for case in cases:
        case["decoded"] = tokenizer.decode(case["ids"], skip_special_tokens=False)
    broken = [{"ids": [id], "decoded": tokenizer.decode([id], skip_special_tokens=False)} for id in range(3, 260)]
    rng = random.Random(3)
    for _ in range(60):
        ids = [rng.randrange(3, 260) for _ in range(rng.randint(2, 6))]
        broken.append({"ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False)})
    sweep = [f"{fnv(tokenizer.encode(text, add_special_tokens=False).ids):016x}" for text in sweep_texts()]
    out = ['{"made_by": "tools/goldens/tokenizer.py, tokenizers 0.22.2",', ' "cases": [']
    out.append(",\n".join("  " + json.dumps(case, ensure_ascii=False) for case in cases) + "],")
    out.append(' "decode": [\n' + ",\n".join("  " + json.dumps(case, ensure_ascii=False) for case in broken) + "],")
    out.append(' "sweep": ' + json.dumps(sweep) + "}")
    (OUT / f"{name}.cases.json").write_text("\n".join(out) + "\n")
    print(name, len(text), (OUT / f"{name}.cases.json").stat().st_size)


# Small tokenizers that use one feature each.
ALPHABET = "abcdefgh ▁Ġ123xyzé.,-A"


def tiny_model(**options):
    vocab = {c: i for i, c in enumerate(ALPHABET)}
    merges = [("a", "b"), ("ab", "c"), ("b", "c"), ("a", "bc"), ("d", "d"), ("dd", "dd"), ("Ġ", "a"), ("▁", "a"), ("1", "2"), ("e", "f")]
    for left, right in merges:
        vocab.setdefault(left + right, len(vocab))
    for token in options.pop("extra", []):
        vocab.setdefault(token, len(vocab))
    model = dict(type="BPE", dropout=None, unk_token=None, continuing_subword_prefix=None, end_of_word_suffix=None, fuse_unk=False,
                 byte_fallback=False, ignore_merges=False, vocab=vocab, merges=[list(pair) for pair in merges])
    model.update(options)
    return model


def tiny(model=None, **sections):
    value = dict(version="1.0", truncation=None, padding=None, added_tokens=[], normalizer=None, pre_tokenizer=None,
                 post_processor=None, decoder=None, model=model or tiny_model())
    value.update(sections)
    return value


def split(pattern, behavior, invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


TINY_TEXTS = ["abc abcabc", "  a  b ", "abcd dddd ddddd", "a1 12 123 1212", "a.b,c--d", "", " ", "...", "aXbXXc", "zéz e\u0301 xyz", "ab<t>cd <t> <u>", "a\u00a0b\u3000", "<t><t>",
              "\u00e9\u00e9<t>\u00e9", "abab efef fefe", "A.a A,,a", "Xab", "☃a☃☃b", "<t> <u>  <t>", "x<t>y <t>,", "  <v>  <v>a<v> ", "\n<v>\n", "<special>a<special>"]


def feature_cases():
    byte_tokens = [f"<0x{b:02X}>" for b in range(256)]
    yield "plain", tiny()
    yield "unk", tiny(tiny_model(unk_token="A"))
    yield "unk fused", tiny(tiny_model(unk_token="A", fuse_unk=True))
    yield "byte fallback", tiny(tiny_model(byte_fallback=True, unk_token="A", extra=byte_tokens))
    yield "byte fallback, some bytes missing", tiny(tiny_model(byte_fallback=True, fuse_unk=True, unk_token="A", extra=byte_tokens[:200] + byte_tokens[0xC0:0xC4]))
    yield "ignore merges", tiny(tiny_model(ignore_merges=True, extra=["abcd", " abcabc"]), pre_tokenizer=split(" ", "MergedWithNext", kind="String"))
    yield "merges as lines", tiny(tiny_model(merges=["#version: 0.2", "b c", "a b", "a bc"]))
    yield "merge given twice", tiny(tiny_model(merges=[["b", "c"], ["a", "b"], ["b", "c"]]))
    yield "two strings, one id", tiny(tiny_model(vocab={**tiny_model()["vocab"], "bc": 0, "abc": 1, "ab": 1}))
    for behavior in ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
        for invert in (False, True):
            yield f"split {behavior} {invert}", tiny(pre_tokenizer=split("X|[.,]| ", behavior, invert))
        yield f"split string {behavior}", tiny(pre_tokenizer=split(".", behavior, kind="String"))
        yield f"split known {behavior}", tiny(pre_tokenizer=split(GPT2, behavior, behavior == "Removed"))
    yield "split empty matches", tiny(pre_tokenizer=split("x*|b*", "Isolated"))
    yield "split empty string", tiny(pre_tokenizer=split("", "MergedWithNext", kind="String"))
    yield "split lookahead", tiny(pre_tokenizer=split(r"a(?=b)|(?<=c)d|^x|c$|\s+(?!\S)", "Isolated"))
    yield "split tekken", tiny(pre_tokenizer=split(TEKKEN, "Isolated"))
    yield "digits", tiny(pre_tokenizer={"type": "Digits", "individual_digits": False})
    yield "digits individual", tiny(pre_tokenizer={"type": "Digits", "individual_digits": True})
    for prefix in (False, True):
        for use_regex in (False, True):
            level = {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": use_regex}
            yield f"byte level {prefix} {use_regex}", tiny(pre_tokenizer=level)
            yield f"byte level not last {prefix} {use_regex}", tiny(pre_tokenizer={"type": "Sequence", "pretokenizers": [level, split("Ġ", "MergedWithNext")]})
            yield f"byte level twice {prefix} {use_regex}", tiny(pre_tokenizer={"type": "Sequence", "pretokenizers": [level, level]})
    yield "empty sequence", tiny(pre_tokenizer={"type": "Sequence", "pretokenizers": []}, normalizer={"type": "Sequence", "normalizers": []})
    for kind in ("NFC", "NFD", "ByteLevel"):
        yield f"normalizer {kind}", tiny(tiny_model(byte_fallback=True, extra=byte_tokens), normalizer={"type": kind})
    for left in (False, True):
        for right in (False, True):
            yield f"strip {left} {right}", tiny(normalizer={"type": "Strip", "strip_left": left, "strip_right": right})
    yield "llama 2 style", tiny(tiny_model(unk_token="A", fuse_unk=True, byte_fallback=True), normalizer={"type": "Sequence", "normalizers": [
        {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]})
    yield "replace regex", tiny(normalizer={"type": "Replace", "pattern": {"Regex": "[bc]+"}, "content": "x"})
    yield "replace by nothing", tiny(normalizer={"type": "Replace", "pattern": {"String": "b"}, "content": ""})
    flags = dict(special=False, id=100)
    for name, change in {"plain": {}, "normalized": {"normalized": True}, "single word": {"single_word": True}, "lstrip": {"lstrip": True},
                         "rstrip": {"rstrip": True}, "both strips": {"lstrip": True, "rstrip": True}, "special": {"special": True},
                         "all": {"lstrip": True, "rstrip": True, "single_word": True, "normalized": True}}.items():
        token = added(**{**flags, **change}, content="<t>")
        yield f"added {name}", tiny(added_tokens=[token], pre_tokenizer=split(" ", "MergedWithNext", kind="String"))
        yield f"added {name}, two", tiny(added_tokens=[token, added(101, "<u>", rstrip=True), added(102, " "), added(103, "<v>", lstrip=True, rstrip=True)])
    yield "added longest", tiny(added_tokens=[added(100, "ab"), added(101, "abcd"), added(102, "a"), added(103, "bcabc"), added(104, "dd")])
    yield "added in vocabulary", tiny(added_tokens=[added(5, "abc"), added(100, "new"), added(100, "<t>")])
    yield "added twice, other flags", tiny(added_tokens=[added(100, "<t>"), added(100, "<t>", lstrip=True, normalized=True), added(100, "<t>", special=False, rstrip=True)])
    yield "added normalized by the normalizer", tiny(added_tokens=[added(100, "\u00e9", normalized=True, special=False)], normalizer={"type": "NFD"})
    yield "added normalized prefix", tiny(added_tokens=[added(100, "ab", normalized=True, special=False), added(101, "<t>", normalized=True, special=False)], normalizer={"type": "Prepend", "prepend": "▁"})
    yield "added with prefix space", tiny(added_tokens=[added(100, "<t>")], pre_tokenizer={"type": "ByteLevel", "add_prefix_space": True, "use_regex": True, "trim_offsets": True})
    yield "bert", tiny(post_processor={"type": "BertProcessing", "sep": ["a", 0], "cls": ["b", 1]})
    yield "roberta", tiny(post_processor={"type": "RobertaProcessing", "sep": ["a", 0], "cls": ["b", 1], "trim_offsets": True, "add_prefix_space": True})
    a, b = {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}
    special = {"SpecialToken": {"id": "s", "type_id": 0}}
    yield "template", tiny(post_processor={"type": "TemplateProcessing", "single": [special, a, special, a], "pair": [a, b],
                                           "special_tokens": {"s": {"id": "s", "ids": [3, 4], "tokens": ["d", "e"]}}})
    yield "type missing", tiny({k: v for k, v in tiny_model().items() if k != "type"})


def write_features():
    lines = []
    for name, value in feature_cases():
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        try:
            tokenizer = Tokenizer.from_str(text)
        except Exception as error:
            raise SystemExit(f"{name}: {error}")
        cases = [encode_case(tokenizer, t) for t in TINY_TEXTS]
        # The vocabulary is the same nearly everywhere: kept once.
        if value["model"]["vocab"] == tiny_model()["vocab"]:
            value["model"]["vocab"] = "common"
        for i, case in enumerate(cases):
            case["text"] = i
            if case["plain"] == case["ids"]:
                del case["plain"]
        packed = [[case["ids"], case["plain"]] if "plain" in case else case["ids"] for case in cases]
        lines.append("  " + json.dumps({"name": name, "tokenizer": value, "ids": packed}, ensure_ascii=False, separators=(",", ":")))
    head = ['{"made_by": "tools/goldens/tokenizer.py, tokenizers 0.22.2",', ' "texts": ' + json.dumps(TINY_TEXTS, ensure_ascii=False) + ",",
            ' "vocab": ' + json.dumps(tiny_model()["vocab"], ensure_ascii=False) + ",", ' "tokenizers": [']
    (OUT / "features.json").write_text("\n".join(head) + "\n" + ",\n".join(lines) + "]}\n")
    print("features", len(lines), (OUT / "features.json").stat().st_size)


ROLES = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"]


def overlay_cases():
    """(name, tokenizer.json, tokenizer_config.json or None, special_tokens_map.json or None)"""
    base = tiny(added_tokens=[added(100, "<s>"), added(101, "</s>")], pre_tokenizer={"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
                post_processor={"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                                "special_tokens": {"<s>": {"id": "<s>", "ids": [34], "tokens": ["<s>"]}}})
    def flags(content, **change):
        token = added(0, content, **change)
        del token["id"]
        return token
    fast = {"tokenizer_class": "PreTrainedTokenizerFast"}
    yield "fast", base, {**fast, "bos_token": "<s>", "eos_token": "</s>"}, None
    yield "fast, prefix space", base, {**fast, "add_prefix_space": True}, None
    yield "fast, new pad", base, {**fast, "bos_token": "<s>", "pad_token": "<t>"}, None
    yield "fast, pad in vocabulary", base, {**fast, "pad_token": "abc"}, None
    yield "fast, null pad", base, {**fast, "pad_token": None, "eos_token": "</s>"}, None
    yield "decoder changes flags", base, {**fast, "added_tokens_decoder": {"35": flags("</s>", lstrip=True), "34": flags("<s>", rstrip=True, special=False)}, "eos_token": "</s>"}, None
    yield "decoder adds", base, {**fast, "added_tokens_decoder": {"40": flags("<t>", special=False), "36": flags("<u>", normalized=True)}, "additional_special_tokens": ["<u>", "<v>"]}, None
    yield "decoder, few flags", base, {**fast, "added_tokens_decoder": {"36": {"content": "<t>"}, "37": {"content": "<u>", "special": True}}}, None
    yield "decoder, upgraded by role", base, {**fast, "added_tokens_decoder": {"36": {"content": "<t>"}, "37": flags("<u>", special=False, normalized=True)}, "pad_token": "<t>", "cls_token": "<u>"}, None
    yield "typed roles", base, {**fast, "bos_token": {"__type": "AddedToken", **flags("<s>", lstrip=True)}, "pad_token": {"__type": "AddedToken", "content": "<t>", "rstrip": True}}, None
    yield "typed roles and decoder", base, {**fast, "added_tokens_decoder": {"34": flags("<s>")}, "bos_token": {"__type": "AddedToken", **flags("<s>", lstrip=True)}, "eos_token": {"__type": "AddedToken", **flags("</s>", rstrip=True)}}, None
    yield "map", base, {**fast}, {"bos_token": "<s>", "pad_token": {"content": "<t>", "lstrip": True, "rstrip": False, "single_word": False, "normalized": False}, "additional_special_tokens": ["<u>", {"content": "<v>", "rstrip": True}]}
    yield "map over config", base, {**fast, "bos_token": "</s>", "additional_special_tokens": ["<u>"]}, {"bos_token": "<s>", "additional_special_tokens": ["<u>", "<v>"]}
    yield "map not read", base, {**fast, "added_tokens_decoder": {}}, {"bos_token": "<s>", "pad_token": "<t>"}
    yield "split special", base, {**fast, "split_special_tokens": True, "eos_token": "</s>", "bos_token": "<s>"}, None
    yield "extra special", base, {**fast, "extra_special_tokens": {"image_token": "<t>", "other_token": "<s>"}}, None
    yield "padding in the file", {**base, "padding": {"strategy": "BatchLongest", "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0, "pad_token": "<t>"}}, fast, None
    yield "llama", base, {"tokenizer_class": "LlamaTokenizerFast", "legacy": False}, None
    yield "llama, slow name", base, {"tokenizer_class": "LlamaTokenizer", "legacy": False, "add_bos_token": False, "add_eos_token": True}, None
    yield "llama, roles", base, {"tokenizer_class": "LlamaTokenizer", "legacy": False, "add_eos_token": True, "bos_token": "<t>", "eos_token": "<u>", "unk_token": None}, None
    yield "llama, neither", base, {"tokenizer_class": "LlamaTokenizerFast", "legacy": False, "add_bos_token": False}, None
    yield "gemma", base, {"tokenizer_class": "GemmaTokenizer"}, None
    yield "gemma, eos", base, {"tokenizer_class": "GemmaTokenizerFast", "add_eos_token": True, "eos_token": "</s>", "bos_token": "<s>"}, None
    yield "qwen2", base, {"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<t>", "bos_token": None, "additional_special_tokens": ["<u>"]}, None
    yield "qwen2, decoder", base, {"tokenizer_class": "Qwen2TokenizerFast", "added_tokens_decoder": {"34": flags("<s>"), "36": flags("<|endoftext|>")}, "pad_token": "<|endoftext|>"}, None
    yield "gpt2", base, {"tokenizer_class": "GPT2Tokenizer"}, None
    yield "gpt2, prefix", base, {"tokenizer_class": "GPT2TokenizerFast", "add_prefix_space": True, "eos_token": "</s>", "bos_token": "<s>", "unk_token": "<s>"}, None


OVERLAY_TEXTS = ["abc <s> ab</s> c", "a <t> b <u>  <v> c", "<|endoftext|>a<bos>b<pad>", "", " abc", "x<t>y"]


def write_overlays():
    lines = []
    for name, value, config, special_map in overlay_cases():
        with tempfile.TemporaryDirectory() as folder:
            for file, content in (("tokenizer.json", value), ("tokenizer_config.json", config), ("special_tokens_map.json", special_map)):
                if content is not None:
                    Path(folder, file).write_text(json.dumps(content, ensure_ascii=False))
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        roles = {role: [getattr(tokenizer, role), getattr(tokenizer, role + "_id")] for role in ROLES if getattr(tokenizer, role) is not None}
        ids = [[tokenizer(text)["input_ids"], tokenizer(text, add_special_tokens=False)["input_ids"]] for text in OVERLAY_TEXTS]
        lines.append("  " + json.dumps({"name": name, "tokenizer": value, "config": config, "map": special_map, "roles": roles, "ids": ids},
                                       ensure_ascii=False, separators=(",", ":")))
    head = ['{"made_by": "tools/goldens/tokenizer.py, transformers 4.57.6, tokenizers 0.22.2",', ' "texts": ' + json.dumps(OVERLAY_TEXTS) + ",", ' "tokenizers": [']
    (OUT / "overlay.json").write_text("\n".join(head) + "\n" + ",\n".join(lines) + "]}\n")
    print("overlay", len(lines), (OUT / "overlay.json").stat().st_size)


if __name__ == "__main__":
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    OUT.mkdir(parents=True, exist_ok=True)
    for family_name, family_value in families().items():
        write_family(family_name, family_value)
    write_features()
    write_overlays()
