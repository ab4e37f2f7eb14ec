#!/usr/bin/env python3
"""Loss of every step and the update of every tensor against a plain PyTorch loop, on real preference pairs.

Both start from SmolLM2-135M-Instruct with the same score head, see the same pairs in the same order and train every weight.
The update of a tensor is its value after the last step minus its value before the first.
"""

import argparse
import json
import sys

import torch
import transformers
from safetensors.torch import load_file

import common
import torch_training

LOSS_BAR, UPDATE_BAR = 1e-4, 1e-3


def reference(model_dir, pairs, options):
    """(losses, values after the last step by name) of the PyTorch loop."""
    model, tokenizer = torch_training.load(model_dir)
    if options.gradient_checkpointing:
        model.gradient_checkpointing_enable()
    ids = [tuple(torch_training.encode(tokenizer, pair[side]) for side in ("chosen", "rejected")) for pair in pairs]
    losses = torch_training.train(model, ids, options.batch_size, options.learning_rate, common.show_step)
    return losses, {name: value.detach().clone() for name, value in model.named_parameters()}


def laurel(model_dir, pairs, options):
    """The same of `laurel train`."""
    run, _, _ = common.train(
        model_dir, pairs, "training-parity", learning_rate=options.learning_rate, max_grad_norm=0, train_batch_size=options.batch_size,
        max_steps=options.steps, max_length=options.max_length, adam_epsilon=1e-5, weight_decay=0.01,
        lr_scheduler_type="linear", **common.options_of(options.laurel))
    losses = [row["loss"] for row in common.read_jsonl(run / "metrics.jsonl")]
    return losses, load_file(run / "model.safetensors")


def compare_updates(initial, theirs, ours):
    """[(relative distance of the updates, name)], the largest first."""
    rows = []
    for name, start in initial.items():
        mine = ours[name][: start.shape[0]].float()  # a pad token may have been added to the embedding
        update = theirs[name] - start
        rows.append(((mine - theirs[name]).norm().item() / update.norm().item(), name))
    return sorted(rows, reverse=True)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--steps", type=int, default=20)
    options.add_argument("--batch-size", type=int, default=4, help="pairs a step")
    options.add_argument("--max-length", type=int, default=256)
    options.add_argument("--learning-rate", type=float, default=2e-5)
    options.add_argument("--gradient-checkpointing", action="store_true", help="of the PyTorch loop: less memory, same numbers")
    options.add_argument("--reuse-peer", action="store_true", help="take the PyTorch loop's figures from the last run")
    options.add_argument("--peer-only", action="store_true", help="stop after the PyTorch loop")
    options.add_argument("--laurel", default="", help="further options of laurel train: name=value,…")
    options = options.parse_args()
    transformers.logging.set_verbosity_error()
    model_dir = common.fixed_head_model("f32")
    pairs = common.preference_pairs(options.steps * options.batch_size, options.max_length, model_dir)

    stored = common.WORK / "training-parity-peer.pt"
    if not options.reuse_peer:
        torch.save(reference(model_dir, pairs, options), stored)
    their_losses, theirs = torch.load(stored)
    if options.peer_only:
        print(json.dumps(their_losses))
        return
    our_losses, ours = laurel(model_dir, pairs, options)

    initial = load_file(model_dir / "model.safetensors")
    differences = [abs(a - b) / b for a, b in zip(our_losses, their_losses)]
    updates = compare_updates(initial, theirs, ours)
    rows = [{"step": i + 1, "ours": f"{a:.7f}", "theirs": f"{b:.7f}", "difference": f"{d:.1e}"}
            for i, (a, b, d) in enumerate(zip(our_losses, their_losses, differences))]
    common.write_results(
        "training_parity", f"First {len(rows)} steps of training against a plain PyTorch loop, float32", common.machine(),
        {"step": "step", "ours": "loss, laurel train", "theirs": "loss, PyTorch", "difference": "relative difference"}, rows,
        [f"SmolLM2-135M-Instruct, all weights; {options.batch_size} harmlessness pairs a step, at most {options.max_length} "
         f"tokens a side; AdamW, eps 1e-5, learning rate {options.learning_rate:g} linear to zero",
         f"Largest relative difference of a loss: {max(differences):.1e} (bar {LOSS_BAR:g})",
         f"Update of {len(updates)} tensors: largest relative distance {updates[0][0]:.1e} ({updates[0][1]}), median "
         f"{updates[len(updates) // 2][0]:.1e} (bar {UPDATE_BAR:g})"])
    ok = len(our_losses) == len(their_losses) == options.steps
    sys.exit(0 if ok and max(differences) <= LOSS_BAR and updates[0][0] <= UPDATE_BAR else 1)


if __name__ == "__main__":
    main()
