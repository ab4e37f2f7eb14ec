#!/usr/bin/env python3
"""The whole process of `laurel score` for one short conversation (warm file cache), and the peak memory of a long input.

Standard library only. BF16 checkpoint of 135M parameters.
"""

import argparse
import statistics
import sys

import common

SHORT = [{"prompt": "What is the capital of France?", "response": "The capital of France is Paris."}]
LATENCY_BAR = 0.15  # seconds


def long_input(rows):
    """Many conversations of many lengths: memory must not grow with their number."""
    filler = "The quick brown fox jumps over the lazy dog, and then it rests for a while under a tree. "
    return [{"prompt": f"Question {i}: {filler * (i % 7)}", "completions": [filler * (1 + (i + k) % 12) for k in range(4)]}
            for i in range(rows)]


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=20)
    options.add_argument("--rows", type=int, default=40, help="rows of the long input, 4 completions each")
    options = options.parse_args()
    model = common.fixed_head_model("bf16")
    model_bytes = (model / "model.safetensors").stat().st_size
    memory_bar = model_bytes * 2.5 + 300e6

    common.score(model, SHORT, "latency")  # warms the file cache
    runs = [common.score(model, SHORT, "latency") for _ in range(options.runs)]
    seconds = sorted(run[1] for run in runs)
    _, long_seconds, long_peak = common.score(model, long_input(options.rows), "memory")
    median = statistics.median(seconds)
    rows = [
        {"what": "whole process, one short conversation, median", "figure": f"{median:.3f} s", "bar": f"≤ {LATENCY_BAR} s"},
        {"what": "fastest, slowest", "figure": f"{seconds[0]:.3f} s, {seconds[-1]:.3f} s", "bar": ""},
        {"what": "peak memory, one short conversation", "figure": f"{max(run[2] for run in runs) / 1e6:.0f} MB", "bar": ""},
        {"what": f"peak memory, {4 * options.rows} conversations ({long_seconds:.0f} s)", "figure": f"{long_peak / 1e6:.0f} MB",
         "bar": f"≤ {memory_bar / 1e6:.0f} MB (2.5 times the model's {model_bytes / 1e6:.0f} MB, and 300 MB)"},
    ]
    common.write_results("latency", "Latency and memory, 135M parameters, BF16", common.machine(),
                         {"what": "", "figure": "measured", "bar": "bar"}, rows, [f"{options.runs} runs after one to warm up"])
    sys.exit(0 if median <= LATENCY_BAR and long_peak <= memory_bar else 1)


if __name__ == "__main__":
    main()
