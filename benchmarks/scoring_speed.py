#!/usr/bin/env python3
"""Scoring speed against the reward-bench loop: RM-Bench prompts × 4 completions, float32, same machine, same run.

40 prompts with the 135M model; with --shape 1B four prompts and a checkpoint of that shape, random weights in bfloat16.

The loop is that of reward-bench's v2 runner: texts in the data's order, batches padded to their longest, the tokenizer's own
padding, an explicit mask; and the same sorted by length, which that runner does not do. `laurel score` is timed as a whole
process, start and model load included; the loop without them. Runs alternate, so that both meet the same machine; the rate of
Laurel is the median of its runs.
"""

import argparse
import statistics
import sys

import torch

import common
import peer_scoring
import random_checkpoint

BARS = {"64": 5.0, "16": 3.3, "sorted8": 1.8}


def model_of(shape):
    """(its folder, the name of the results, how the title calls it)"""
    if shape == "135M":
        return common.fixed_head_model("f32"), "scoring_speed", "135M parameters"
    folder = common.WORK / f"random-{shape}"
    if not (folder / "config.json").exists():
        random_checkpoint.make_checkpoint(folder, random_checkpoint.SHAPES[shape], random_checkpoint.random_block())
    return folder, f"scoring_speed_{shape.lower()}", f"the shape of Llama-3.2-{shape}"


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--shape", choices=["135M", "1B"], default="135M")
    options.add_argument("--prompts", type=int, help="a quarter from each RM-Bench part (40; 4 of the shape 1B)")
    options.add_argument("--batch-sizes", help="16,64,sorted8; 16,sorted8 of the shape 1B")
    options.add_argument("--threads", type=int, default=0)
    options = options.parse_args()
    is_large = options.shape != "135M"
    num_prompts = options.prompts or (4 if is_large else 40)
    names = (options.batch_sizes or ("16,sorted8" if is_large else "16,64,sorted8")).split(",")
    model_dir, results_name, title = model_of(options.shape)
    peer = peer_scoring.Peer(model_dir, options.threads)
    prompts = common.rm_bench_prompts(num_prompts // 4)
    rows = [{"prompt": prompt, "completions": completions} for prompt, completions in prompts]
    texts = [peer.render(common.turns(p, c)) for p, cs in prompts for c in cs]
    real = sum(peer.num_tokens(text) for text in texts)
    extra = ["--threads", options.threads] if options.threads else []

    results, laurel_seconds, ours = [], [], None
    for name in names + ["end"]:
        scored, seconds, _ = common.score(model_dir, rows, "speed", *extra)
        laurel_seconds.append(seconds)
        ours = [reward for row in scored for reward in row["rewards"]]
        if name == "end":
            break
        rewards, seconds, padded = peer.score(texts, int(name.removeprefix("sorted")), name.startswith("sorted"))
        worst = max(abs(a - b) for a, b in zip(ours, rewards))
        results.append({"loop": f"transformers, batch {name}", "seconds": round(seconds, 1), "tokens": f"{real:,} / {padded:,}",
                        "rate": round(real / seconds), "difference": f"{worst:.1e}"})
    rate = real / statistics.median(laurel_seconds)
    within = True
    for name, row in zip(names, results):
        row["ratio"] = round(rate / row["rate"], 2)
        within = within and row["ratio"] >= BARS.get(name, 1)
    results.insert(0, {"loop": "laurel score (whole process)", "seconds": round(statistics.median(laurel_seconds), 1),
                       "tokens": f"{real:,} / {real:,}", "rate": round(rate), "ratio": 1.0})
    common.write_results(
        results_name, f"Scoring {len(texts)} RM-Bench conversations, {title}, float32",
        {**common.machine(), "torch threads": torch.get_num_threads()},
        {"loop": "", "tokens": "tokens real / padded", "seconds": "seconds", "rate": "real tokens/s", "ratio": "Laurel is faster by",
         "difference": "largest difference of a reward"},
        results, [f"Laurel's runs: {', '.join(f'{s:.1f}' for s in laurel_seconds)} s",
                  "Bars of 135M: 5 times batch 64, 3.3 times batch 16, 1.8 times the sorted loop"])
    sys.exit(0 if within or is_large else 1)


if __name__ == "__main__":
    main()
