#!/usr/bin/env python3
"""Accuracy on held-out pairs after the same recipe: `laurel train` against the plain PyTorch loop, several seeds.

A seed draws the score head and the order of the pairs; both sides get the same. Both trained models are judged by
`laurel score`, so that only training differs.
"""

import argparse
import math
import shutil
import statistics

import torch
import transformers
from safetensors.torch import load_file, save_file

import common
import torch_training


def base_with_head(seed):
    """The base with a score head of N(0, 1 / (hidden size + 1)), open-instruct's, drawn by seed."""
    source, folder = common.fixed_head_model("f32"), common.WORK / f"head-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    tensors = load_file(folder / "model.safetensors")
    hidden_size = tensors["score.weight"].shape[1]
    head = torch.randn(1, hidden_size, generator=torch.Generator().manual_seed(seed)) / math.sqrt(hidden_size + 1)
    tensors["score.weight"] = head
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def held_out_accuracy(model_dir, pairs, name):
    rows = [{"messages": pair[side]} for pair in pairs for side in ("chosen", "rejected")]
    rewards = [row["rewards"][0] for row in common.score(model_dir, rows, name)[0]]
    return sum(a > b for a, b in zip(rewards[::2], rewards[1::2])) / len(pairs)


def train_torch(model_dir, pairs, options):
    """The directory of the trained model and its losses."""
    model, tokenizer = torch_training.load(model_dir)
    ids = [tuple(torch_training.encode(tokenizer, pair[side]) for side in ("chosen", "rejected")) for pair in pairs]
    losses = torch_training.train(model, ids, options.batch_size, options.learning_rate, common.show_step)
    folder = common.WORK / "accuracy-torch"
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder, losses


def train_laurel(model_dir, pairs, options):
    run, _, _ = common.train(model_dir, pairs, "accuracy", learning_rate=options.learning_rate, num_epochs=1,
                             train_batch_size=options.batch_size, max_length=options.max_length, adam_epsilon=1e-5,
                             weight_decay=0.01, lr_scheduler_type="linear", **common.options_of(options.laurel))
    return run, [row["loss"] for row in common.read_jsonl(run / "metrics.jsonl")]


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pairs", type=int, default=240, help="to train on")
    options.add_argument("--held-out", type=int, default=400)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--batch-size", type=int, default=8)
    options.add_argument("--max-length", type=int, default=160)
    options.add_argument("--learning-rate", type=float, default=5e-5)
    options.add_argument("--laurel", default="", help="further options of laurel train: name=value,…")
    options = options.parse_args()
    transformers.logging.set_verbosity_error()
    rows, results = [], {"laurel": [], "torch": []}
    for seed in range(1, options.seeds + 1):
        model_dir = base_with_head(seed)
        pairs = common.preference_pairs(options.pairs + options.held_out, options.max_length, model_dir, seed=seed)
        held_out, pairs = pairs[: options.held_out], pairs[options.held_out :]
        before = held_out_accuracy(model_dir, held_out, "accuracy-before")
        ours, our_losses = train_laurel(model_dir, pairs, options)
        theirs, their_losses = train_torch(model_dir, pairs, options)
        for side, folder in (("laurel", ours), ("torch", theirs)):
            results[side].append(held_out_accuracy(folder, held_out, f"accuracy-{side}"))
        rows.append({"seed": seed, "before": f"{before:.3f}", "laurel": f"{results['laurel'][-1]:.3f}",
                     "torch": f"{results['torch'][-1]:.3f}", "our_loss": f"{statistics.mean(our_losses[-5:]):.4f}",
                     "their_loss": f"{statistics.mean(their_losses[-5:]):.4f}"})
    means = {side: statistics.mean(values) for side, values in results.items()}
    rows.append({"seed": "mean", "laurel": f"{means['laurel']:.3f}", "torch": f"{means['torch']:.3f}"})
    noise = math.sqrt(0.25 / options.held_out)
    common.write_results(
        "training_accuracy", "Accuracy on held-out pairs after the same recipe", common.machine(),
        {"seed": "seed", "before": "before", "laurel": "laurel train", "torch": "PyTorch", "our_loss": "loss at the end, Laurel",
         "their_loss": "PyTorch"}, rows,
        [f"SmolLM2-135M-Instruct, all weights, float32; {options.pairs} harmlessness pairs, {options.held_out} held out; at most "
         f"{options.max_length} tokens a side; {options.batch_size} pairs a step, one epoch, AdamW, learning rate "
         f"{options.learning_rate:g} linear to zero",
         f"Standard error of one accuracy: {noise:.3f}; loss at the end: mean of the last five steps"])


if __name__ == "__main__":
    main()
