#!/usr/bin/env python3
"""Scoring speed against the reward-bench loop: 40 RM-Bench prompts × 4 completions, 135M model, float32, same machine, same run.

The loop is that of reward-bench's v2 runner: texts in the data's order, batches padded to their longest, the tokenizer's own
padding, an explicit mask. `laurel score` is timed as a whole process, start and model load included; the loop without them.
Runs alternate, so that both meet the same machine; the rate of Laurel is the median of its runs.
"""

import argparse
import statistics
import time

import torch
import transformers
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import common


def reward_bench_loop(model, tokenizer, texts, batch_size):
    """(rewards, seconds, padded tokens) of the padded loop."""
    rewards, padded = [], 0
    started = time.monotonic()
    with torch.inference_mode():
        for begin in range(0, len(texts), batch_size):
            inputs = tokenizer(texts[begin : begin + batch_size], truncation=True, max_length=2048, padding=True,
                               add_special_tokens=False, return_tensors="pt")
            padded += inputs["input_ids"].numel()
            rewards += model(**inputs).logits[:, 0].float().tolist()
    return rewards, time.monotonic() - started, padded


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--prompts", type=int, default=40, help="a quarter from each RM-Bench part")
    options.add_argument("--batch-sizes", default="16,64,sorted8")
    options.add_argument("--threads", type=int, default=0)
    options = options.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    transformers.logging.set_verbosity_error()
    model_dir = common.fixed_head_model("f32")
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "right"
    model = AutoModelForSequenceClassification.from_pretrained(model_dir, num_labels=1, dtype=torch.float32).eval()
    if model.config.pad_token_id is None:
        model.config.pad_token_id = tokenizer.pad_token_id

    prompts = common.rm_bench_prompts(options.prompts // 4)
    rows = [{"prompt": prompt, "completions": completions} for prompt, completions in prompts]
    texts = [tokenizer.apply_chat_template(common.turns(p, c), tokenize=False) for p, cs in prompts for c in cs]
    lengths = [len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts]
    real = sum(lengths)
    extra = ["--threads", options.threads] if options.threads else []

    results, laurel_seconds, ours = [], [], None
    for name in options.batch_sizes.split(",") + ["end"]:
        scored, seconds, _ = common.score(model_dir, rows, "speed", *extra)
        laurel_seconds.append(seconds)
        ours = [reward for row in scored for reward in row["rewards"]]
        if name == "end":
            break
        order = sorted(range(len(texts)), key=lambda i: lengths[i]) if name.startswith("sorted") else range(len(texts))
        rewards, seconds, padded = reward_bench_loop(model, tokenizer, [texts[i] for i in order],
                                                     int(name.removeprefix("sorted")))
        worst = max(abs(ours[i] - reward) for i, reward in zip(order, rewards))
        results.append({"loop": f"transformers, batch {name}", "seconds": round(seconds, 1), "tokens": f"{real:,} / {padded:,}",
                        "rate": round(real / seconds), "difference": f"{worst:.1e}"})
    rate = real / statistics.median(laurel_seconds)
    for row in results:
        row["ratio"] = round(rate / row["rate"], 2)
    results.insert(0, {"loop": "laurel score (whole process)", "seconds": round(statistics.median(laurel_seconds), 1),
                       "tokens": f"{real:,} / {real:,}", "rate": round(rate), "ratio": 1.0})
    common.write_results(
        "scoring_speed", f"Scoring {len(texts)} RM-Bench conversations, 135M parameters, float32",
        {**common.machine(), "torch threads": torch.get_num_threads()},
        {"loop": "", "tokens": "tokens real / padded", "seconds": "seconds", "rate": "real tokens/s", "ratio": "Laurel is faster by",
         "difference": "largest difference of a reward"},
        results, [f"Laurel's runs: {', '.join(f'{s:.1f}' for s in laurel_seconds)} s",
                  "Bar: 3.5 times batch 64, 2.2 times batch 16"])


if __name__ == "__main__":
    main()
