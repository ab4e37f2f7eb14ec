#!/usr/bin/env python3
"""Scoring against llama.cpp's prompt processing: the same weights in GGUF, the same 512 tokens, the same threads.

llama.cpp (through llama-cpp-python, `tools/setup parity` builds it) computes the last token's logits of a prompt; the logits of
one token are small beside the prompt. With quantized weights it multiplies activations of 8 bits. Laurel converts each file once
(`laurel convert --dtype blocks`: weights as in the file) and scores rows of 512 token ids without sharing, in float32 and as an int8 pack, timed as a whole process.
Forms: the Q4_1 file of the base, and Q8_0 and F16 files that llama.cpp's own quantizer makes of it. Runs alternate; rates are
medians.
"""

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import time

import llama_cpp

import common

BAR = 2.5
LENGTH = 512
TYPES = {"Q4_1": None, "Q8_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0, "F16": llama_cpp.LLAMA_FTYPE_MOSTLY_F16}


def gguf_files():
    """{type: path}"""
    base = subprocess.run([common.ROOT / "tools" / "fetch_base_model"], check=True, capture_output=True, text=True).stdout.strip()
    files = {"Q4_1": base}
    for name, ftype in TYPES.items():
        if ftype is None:
            continue
        path = common.WORK / f"SmolLM2-135M-Instruct-{name}.gguf"
        if not path.exists():
            parameters = llama_cpp.llama_model_quantize_default_params()
            parameters.ftype, parameters.allow_requantize = ftype, True
            if llama_cpp.llama_model_quantize(str(base).encode(), str(path).encode(), parameters) != 0:
                sys.exit(f"{path}: llama.cpp could not write it")
        files[name] = path
    return files


def converted(gguf, name):
    folder = common.WORK / f"gguf-{name}"
    if not (folder / "config.json").exists():
        plain = common.WORK / f"gguf-{name}-base"
        shutil.rmtree(plain, ignore_errors=True)
        subprocess.run([common.LAUREL, "convert", "--from", gguf, "--to", plain, "--dtype", "blocks"], check=True)
        subprocess.run([sys.executable, common.ROOT / "tools" / "fixed_head", plain, folder], check=True)
    return folder


def int8_pack(model_dir):
    folder = model_dir.with_name(f"{model_dir.name}-int8")
    if not (folder / "config.json").exists():
        subprocess.run([common.LAUREL, "convert", "--from", model_dir, "--to", folder, "--dtype", "int8"], check=True)
    return folder


class LlamaCpp:
    def __init__(self, gguf, threads):
        self.llama = llama_cpp.Llama(str(gguf), n_ctx=LENGTH, n_batch=LENGTH, n_ubatch=LENGTH, n_threads=threads,
                                     n_threads_batch=threads, verbose=False)

    def seconds(self, rows):
        started = time.monotonic()
        for ids in rows:
            self.llama.reset()
            self.llama.eval(ids)
        return time.monotonic() - started


def measure(name, gguf, rows, options):
    model_dir, peer = converted(gguf, name), LlamaCpp(gguf, options.threads)
    models = {"laurel": model_dir, "int8": int8_pack(model_dir)}
    peer.seconds(rows[:1])
    seconds = {"laurel": [], "int8": [], "peer": []}
    for _ in range(options.runs):
        for form, folder in models.items():
            seconds[form].append(common.score(folder, [{"input_ids": ids} for ids in rows], "llama", "--threads",
                                              options.threads, "--no-prefix-sharing", *options.laurel.split())[1])
        seconds["peer"].append(peer.seconds(rows))
    median = {form: statistics.median(values) for form, values in seconds.items()}
    rates = {form: round(LENGTH * len(rows) / value) for form, value in median.items()}
    return {"weights": name, **rates, "ratio": f"{median['peer'] / median['laurel']:.2f}",
            "int8_ratio": f"{median['peer'] / median['int8']:.2f}"}


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=16)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options.add_argument("--laurel", default="", help="further options of laurel score")
    options = options.parse_args()
    draw = random.Random(1)
    rows = [[draw.randrange(100, 40000) for _ in range(LENGTH)] for _ in range(options.rows)]
    common.WORK.mkdir(parents=True, exist_ok=True)
    results = [measure(name, gguf, rows, options) for name, gguf in gguf_files().items()]
    facts = {**common.machine(), "llama-cpp-python": llama_cpp.__version__, "threads": options.threads}
    common.write_results(
        "llama_prompts", f"Prompts of {LENGTH} tokens against llama.cpp, 135M parameters", facts,
        {"weights": "GGUF weights", "peer": "llama.cpp, tokens/s", "laurel": "laurel score, float32", "ratio": "faster by",
         "int8": "laurel score, int8", "int8_ratio": "int8 is faster by"},
        results, [f"{options.rows} prompts, {options.runs} runs each, medians", f"Bar: {BAR} times"])
    sys.exit(0 if all(max(float(row["ratio"]), float(row["int8_ratio"])) >= BAR for row in results) else 1)


if __name__ == "__main__":
    main()
