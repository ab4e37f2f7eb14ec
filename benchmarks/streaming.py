#!/usr/bin/env python3
"""Scoring with weights streamed layer by layer.

Two checkpoints are made, used and removed:
 * one of the shape of Llama-3.1-70B, bfloat16, in files that are holes (no space on the disk; their reads cost what a disk of
   unlimited speed would). Its rate is compared with that of a few layers of the same shape whose weights lie in memory.
 * one of the shape of Llama-3.1-8B with random weights that do lie on the disk, read with a cold cache, streamed and resident.

A rate is tokens x layers per second; the last layer counts as what is computed of it, the keys and values. Standard library only.
"""

import argparse
import json
import os
import random
import shutil
import sys

import common
from random_checkpoint import BLOCK, SHAPES, make_checkpoint, random_block

RATE_BAR = 0.9  # of the rate with weights in memory
MEMORY_BAR = 8 * 2**30
def drop_from_cache(folder):
    for path in folder.glob("*.safetensors"):
        with open(path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def warm(folder):
    for path in folder.glob("*.safetensors"):
        with open(path, "rb") as file:
            while file.read(BLOCK):
                pass


def rows_of(tokens, length):
    """Conversations of `length` random tokens, without a common beginning."""
    generator = random.Random(1)
    return [{"input_ids": [generator.randrange(1000, 100_000) for _ in range(min(length, tokens - begin))]}
            for begin in range(0, tokens, length)]


def layer_units(shape):
    """Layers that are computed for every token: the last is only for its keys and values."""
    hidden, inner = shape["hidden_size"], shape["intermediate_size"]
    query, kv = (shape[key] * shape["head_dim"] for key in ("num_attention_heads", "num_key_value_heads"))
    whole = hidden * (2 * query + 2 * kv + 3 * inner)
    return shape["num_hidden_layers"] - 1 + 2 * kv * hidden / whole


def measure(what, folder, shape, rows, *options):
    """A row of the table."""
    name = "streaming"
    _, seconds, peak = common.score(folder, rows, name, *options)
    manifest = json.loads((common.WORK / f"{name}.out.jsonl.manifest.json").read_text())
    tokens = manifest["counts"]["physical_tokens"]
    streaming = manifest.get("streaming")
    row = {"what": what, "tokens": tokens, "seconds": manifest["seconds"], "process": seconds,
           "rate": tokens * layer_units(shape) / manifest["seconds"], "peak": peak}
    if streaming:
        row["read"] = streaming["read_bytes"] / max(streaming["read_seconds"], 1e-9)
        row["waited"] = streaming["wait_seconds"]
    print(f"{what}: {row}", file=sys.stderr)
    return row


def sparse(options):
    """The 70B shape: streamed, and a few of its layers in memory."""
    shape = {**SHAPES["70B"], "num_hidden_layers": options.layers}
    few = {**shape, "num_hidden_layers": min(options.resident_layers, options.layers)}
    rows = rows_of(options.tokens, options.length)
    folder = make_checkpoint(common.WORK / "streaming-few-layers", few)
    warm(folder)
    resident = [measure(f"70B shape, {few['num_hidden_layers']} layers in memory", folder, few, rows, "--no-stream-weights")]
    large = make_checkpoint(common.WORK / "streaming-70b", shape)
    streamed = measure(f"70B shape, {options.layers} layers, streamed", large, shape, rows, "--stream-weights")
    resident.append(measure("the same layers in memory again", folder, few, rows, "--no-stream-weights"))
    for path in (folder, large):
        shutil.rmtree(path)
    streamed["share"] = streamed["rate"] / (sum(row["rate"] for row in resident) / len(resident))
    return [resident[0], streamed, resident[1]], streamed["share"] >= RATE_BAR and streamed["peak"] <= MEMORY_BAR


def dense(options):
    """The 8B shape on the disk, nothing cached: streamed and resident; and resident once more, cached as far as memory allows."""
    shape = {**SHAPES["8B"], "num_hidden_layers": options.dense_layers}
    rows = rows_of(options.dense_tokens, options.length)
    folder = make_checkpoint(common.WORK / "streaming-8b", shape, random_block())
    results = []
    name = f"8B shape, {options.dense_layers} layers"
    for what, option in ((f"{name}, streamed, cold cache", "--stream-weights"), (f"{name}, resident, cold cache", "--no-stream-weights")):
        drop_from_cache(folder)
        results.append(measure(what, folder, shape, rows, option))
    results.append(measure(f"{name}, resident, warm cache", folder, shape, rows, "--no-stream-weights"))
    results.append(measure(f"{name}, streamed, warm cache", folder, shape, rows, "--stream-weights"))
    shutil.rmtree(folder)
    for row in results:
        row["share"] = row["rate"] / results[2]["rate"]
    return results


def formatted(row):
    return {"what": row["what"], "tokens": f"{row['tokens']:,}", "seconds": f"{row['seconds']:.1f}", "rate": f"{row['rate']:.0f}",
            "share": f"{row['share']:.2f}" if "share" in row else "", "peak": f"{row['peak'] / 2**30:.2f} GiB",
            "read": f"{row['read'] / 1e9:.2f} GB/s" if "read" in row else "",
            "waited": f"{row['waited']:.1f} s" if "waited" in row else ""}


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--layers", type=int, default=80, help="of the 70B shape; fewer keep no figures")
    options.add_argument("--resident-layers", type=int, default=4)
    options.add_argument("--tokens", type=int, default=1024)
    options.add_argument("--dense-layers", type=int, default=32, help="of the 8B shape (16 GB on the disk); 0 leaves it out")
    options.add_argument("--dense-tokens", type=int, default=2048)
    options.add_argument("--length", type=int, default=256, help="tokens of a conversation")
    options = options.parse_args()
    if options.layers < 80 or options.dense_layers < 32:
        common.RESULTS = common.WORK
    rows, ok = sparse(options)
    if options.dense_layers > 0:
        rows += dense(options)
    common.write_results(
        "streaming", "Scoring with streamed weights, bfloat16 checkpoints", common.machine(),
        {"what": "", "tokens": "tokens", "seconds": "seconds", "rate": "tokens x layers/s", "share": "of the rate in memory",
         "peak": "peak memory", "read": "read at", "waited": "waited for weights"},
        [formatted(row) for row in rows],
        [f"Bars: 70B shape at {RATE_BAR} of the rate of its layers in memory (mean of before and after), in at most "
         f"{MEMORY_BAR / 2**30:.0f} GiB",
         "The 70B shape's files are holes: reading them costs the processor's part only",
         "Seconds are those of scoring, without start and hashing"])
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
