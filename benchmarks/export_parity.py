#!/usr/bin/env python3
"""What `laurel train` writes, as others read it: transformers and peft load it and give its rewards, TensorBoard its curves.

A few steps on real pairs from SmolLM2-135M-Instruct, once per form of result: all weights in float32, in shards, in bfloat16,
an adapter, a merged adapter. transformers scores padded batches, so that the pad token takes part.
"""

import json
import subprocess
import sys

import peft
import torch
import transformers
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import common

BAR = 1e-4
STEPS = 2
FULL = ["--learning-rate", "1e-5"]
LORA = ["--lora-rank", "4", "--lora-targets", "q_proj", "--lora-targets", "down_proj", "--freeze-layers", "20",
        "--learning-rate", "1e-3"]
FORMS = {
    "all weights, f32": FULL,
    "all weights, shards of 100 MB": [*FULL, "--max-shard-size", "100MB"],
    "all weights, bf16": [*FULL, "--dtype", "bf16"],
    "adapter": LORA,
    "adapter, merged": [*LORA, "--merge-lora"],
}


def train(base, data, name, options):
    folder = common.WORK / "export" / name.replace(" ", "-").replace(",", "")
    command = [common.LAUREL, "train", "--model", base, "--data", data, "--output-dir", folder, "--overwrite", "--max-steps", STEPS,
               "--train-batch-size", "4", "--max-length", "256", "--save-minutes", "0", *options]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"laurel train failed:\n{done.stderr}")
    return folder


def reference(base, folder, rows):
    """Rewards by transformers, in padded batches of four conversations."""
    is_adapter = (folder / "adapter_config.json").exists()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    source = base if is_adapter else folder
    model, info = AutoModelForSequenceClassification.from_pretrained(
        source, num_labels=1, dtype=torch.float32, output_loading_info=True)
    if is_adapter:
        model = peft.PeftModel.from_pretrained(model, folder)
    elif info["missing_keys"] or info["unexpected_keys"] or info["mismatched_keys"]:
        sys.exit(f"{folder}: transformers does not find its tensors: {info}")
    elif tokenizer.pad_token_id in (None, tokenizer.eos_token_id) or model.config.pad_token_id != tokenizer.pad_token_id:
        sys.exit(f"{folder}: pad token {tokenizer.pad_token_id}, eos {tokenizer.eos_token_id}, config {model.config.pad_token_id}")
    model.eval()
    texts = [tokenizer.apply_chat_template(row["messages"], tokenize=False) for row in rows]
    rewards = []
    for begin in range(0, len(texts), 4):
        batch = tokenizer(texts[begin:begin + 4], add_special_tokens=False, padding=True, return_tensors="pt")
        with torch.no_grad():
            rewards += model(**batch).logits[:, 0].tolist()
    return rewards


def check_events(folder):
    events = EventAccumulator(str(folder))
    events.Reload()
    curve = events.Scalars("train/rm/loss")
    lines = common.read_jsonl(folder / "metrics.jsonl")
    if [e.step for e in curve] != [line["step"] for line in lines]:
        sys.exit(f"{folder}: TensorBoard sees steps {[e.step for e in curve]}")
    return max(abs(e.value - line["loss"]) for e, line in zip(curve, lines))


def main():
    base = common.base_model("f32")
    pairs = common.read_rows("preference", "hh_harmless.jsonl.gz")
    data = common.write_jsonl(common.WORK / "export" / "pairs.jsonl", [{k: row[k] for k in ("chosen", "rejected")} for row in pairs[:64]])
    rows = [{"messages": row["chosen"]} for row in pairs[64:72]]
    results, worst = [], 0.0
    for name, options in FORMS.items():
        folder = train(base, data, name, options)
        model = ([base, "--adapter", folder] if (folder / "adapter_config.json").exists() else [folder])
        ours, _, _ = common.score(model[0], rows, "export", *model[1:])
        theirs = reference(base, folder, rows)
        error = max(abs(a["rewards"][0] - b) for a, b in zip(ours, theirs))
        worst = max(worst, error)
        results.append({"form": name, "error": f"{error:.1e}", "events": f"{check_events(folder):.1e}"})
    common.write_results(
        "export_parity", "Rewards of trained models: laurel score beside transformers and peft", common.machine(),
        {"form": "form of the result", "error": "largest difference of rewards", "events": "of losses in TensorBoard"}, results,
        [f"Bar: {BAR:g}, float32, {len(rows)} conversations of hh-harmless in padded batches of 4."])
    sys.exit(worst > BAR)


if __name__ == "__main__":
    main()
