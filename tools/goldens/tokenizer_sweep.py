#!/usr/bin/env python3
"""Makes tests/goldens/tokenizer/sweep.json: fingerprints of the reference's ids of all real text in the shared folder.

With --compare PROGRAM it instead runs `PROGRAM tokenize` (the laurel program) beside the reference on every text and on
every code point, shows what differs, and the speeds of both.

Needs: tokenizers==0.22.2. Usage: tools/goldens/tokenizer_sweep.py SHARED [--compare build/…/laurel]
"""
import argparse
import gzip
import json
import subprocess
import tempfile
import time
from pathlib import Path

import tokenizers
from tokenizer import OUT, QWEN2, fnv
from tokenizers import Tokenizer

FILES = ["data/rm_bench/chat_filtered.json", "data/rm_bench/code_filtered.json.gz", "data/rm_bench/safety-refuse_filtered.json",
         "data/rm_bench/safety-response_filtered.json", "data/preference/hh_harmless.jsonl.gz",
         "data/preference/hh_harmless_test.jsonl.gz", "data/reward_bench_2/sample.jsonl",
         "data/tokenizers/llama3/test_cases.json"]


def read(path):
    return (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8").read()


def families(shared):
    """tokenizer.json texts by name. Qwen2 is its layout over Llama 3's vocabulary."""
    llama3 = read(shared / "data/tokenizers/llama3/tokenizer.json.gz")
    qwen2 = json.loads(llama3)
    qwen2["normalizer"] = {"type": "NFC"}
    qwen2["model"]["ignore_merges"] = False
    qwen2["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = QWEN2
    qwen2["post_processor"] = None
    smollm2 = read(shared / "data/models/smollm2-hh-lora/smollm2_true_tokenizer.json.gz")
    return {"llama3": llama3, "qwen2": json.dumps(qwen2, ensure_ascii=False), "smollm2": smollm2}


def strings(value):
    """All strings of a JSON value, in order, keys left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for element in value.values() if isinstance(value, dict) else value:
            yield from strings(element)


def texts_of(path):
    content = read(path)
    rows = content.split("\n") if ".jsonl" in path.name else [content]
    return [text for row in rows if row.strip() for text in strings(json.loads(row))]


def make(shared):
    result = {"made_by": "tools/goldens/tokenizer_sweep.py, tokenizers " + tokenizers.__version__}
    for name, text in families(shared).items():
        tokenizer = Tokenizer.from_str(text)
        result[name] = {}
        for file in FILES:
            state, count, texts = 0xcbf29ce484222325, 0, texts_of(shared / file)
            for encoding in tokenizer.encode_batch(texts, add_special_tokens=False):
                state = fnv(encoding.ids + [len(encoding.ids)], state)
                count += len(encoding.ids)
            result[name][file] = {"texts": len(texts), "ids": count, "hash": f"{state:016x}"}
            print(name, file, result[name][file])
    (OUT / "sweep.json").write_text(json.dumps(result, indent=1) + "\n")


def code_point_texts():
    codes = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    return codes + ["".join(f"a{c}b {c}{c}1\n'{c}" for c in codes[i:i + 16]) for i in range(0, len(codes), 16)]


def compare(shared, program):
    for name, text in families(shared).items():
        tokenizer = Tokenizer.from_str(text)
        for what, texts in [(file, texts_of(shared / file)) for file in FILES] + [("code points", code_point_texts())]:
            with tempfile.TemporaryDirectory() as folder:
                folder = Path(folder)
                (folder / "tokenizer.json").write_text(text, encoding="utf-8")
                rows = folder / "in.jsonl"
                rows.write_text("".join(json.dumps({"text": t}, ensure_ascii=False) + "\n" for t in texts), encoding="utf-8")
                start = time.perf_counter()
                subprocess.run([program, "tokenize", "--model", folder, "--input", rows, "--output", folder / "out.jsonl",
                                "--no-special-tokens"], check=True)
                ours_s = time.perf_counter() - start
                ours = [json.loads(line)["input_ids"] for line in (folder / "out.jsonl").open()]
            start = time.perf_counter()
            theirs = [tokenizer.encode(t, add_special_tokens=False).ids for t in texts]
            theirs_s = time.perf_counter() - start
            wrong = [t for t, a, b in zip(texts, ours, theirs, strict=True) if a != b]
            size = sum(len(t.encode()) for t in texts) / 1e6
            print(f"{name} {what}: {len(texts)} texts, {len(wrong)} differ {wrong[:3]}; MB/s: {size / ours_s:.1f} "
                  f"(whole process), reference {size / theirs_s:.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("shared", type=Path)
    parser.add_argument("--compare")
    arguments = parser.parse_args()
    if arguments.compare:
        compare(arguments.shared, arguments.compare)
    else:
        assert tokenizers.__version__ == "0.22.2"
        make(arguments.shared)
