#!/usr/bin/env python3
"""Token ids and rewards against transformers in float32, on real conversations.

Two models: SmolLM2-135M-Instruct with the trained adapter (merged by peft), and a random 4-layer Qwen2 shape with every bias
in use. transformers scores one conversation at a time, eager attention: no padding takes part.
"""

import argparse
import shutil
import sys

import torch
import transformers
from transformers import AutoModelForSequenceClassification, AutoTokenizer, Qwen2Config, Qwen2ForSequenceClassification

import common

BAR = 1e-4


def conversations(pairs, per_part):
    """[(prompt number, messages)]: preference pairs and RM-Bench completions."""
    rows = common.read_rows("preference", "hh_harmless.jsonl.gz")
    step = max(1, len(rows) // pairs)
    chosen = [(f"hh{i}", row[side]) for i, row in enumerate(rows[::step][:pairs]) for side in ("chosen", "rejected")]
    for i, (prompt, completions) in enumerate(common.rm_bench_prompts(per_part)):
        chosen += [(f"rm{i}", common.turns(prompt, completion)) for completion in completions]
    return chosen


def random_qwen2(source):
    """A 4-layer Qwen2 with grouped heads; biases and layers large enough for a mistake in them to show."""
    folder = common.WORK / "random-qwen2"
    shutil.rmtree(folder, ignore_errors=True)
    tokenizer = AutoTokenizer.from_pretrained(source)
    config = Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=256, intermediate_size=688, num_hidden_layers=4, num_attention_heads=8,
        num_key_value_heads=2, max_position_embeddings=4096, num_labels=1, pad_token_id=0, tie_word_embeddings=True)
    torch.manual_seed(20250601)
    model = Qwen2ForSequenceClassification(config).float().eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("bias"):
                weight.normal_(0, 0.3)
            elif "proj" in name:
                weight.mul_(4)
            elif name == "score.weight":
                weight.mul_(3)
    model.save_pretrained(folder)
    for path in source.iterdir():
        if path.name.startswith(("tokenizer", "special_tokens", "chat_template")):
            shutil.copy(path, folder)
    return folder


def reference(model_dir, adapter, batch):
    """[(ids, reward)] by transformers."""
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    model = AutoModelForSequenceClassification.from_pretrained(
        model_dir, num_labels=1, dtype=torch.float32, attn_implementation="eager")
    if adapter:
        from peft import PeftModel
        model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    model.eval()
    results = []
    for number, messages in enumerate(batch):
        text = tokenizer.apply_chat_template(messages, tokenize=False)
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            reward = model(input_ids=torch.tensor([ids])).logits[0, 0].item()
        results.append((ids, reward))
        if sys.stderr.isatty():
            print(f"\rtransformers: {number + 1} of {len(batch)}", end="", file=sys.stderr)
    return results


def compare(name, model_dir, adapter, items):
    options = ["--adapter", adapter] if adapter else []
    rows = [{"messages": messages} for _, messages in items]
    scored, _, _ = common.score(model_dir, rows, f"parity-{name}", *options)
    source, output = common.WORK / f"parity-{name}.in.jsonl", common.WORK / f"parity-{name}.ids.jsonl"
    common.subprocess.run([common.LAUREL, "tokenize", "--model", model_dir, "--input", source, "--output", output,
                           "--no-special-tokens"], check=True, capture_output=True)
    ids = [row["input_ids"] for row in common.read_jsonl(output)]
    expected = reference(model_dir, adapter, [messages for _, messages in items])

    ours = [row["rewards"][0] for row in scored]
    theirs = [reward for _, reward in expected]
    differences = [abs(a - b) for a, b in zip(ours, theirs)]
    groups = {}
    for (prompt, _), a, b in zip(items, ours, theirs):
        groups.setdefault(prompt, []).append((a, b))
    same_best = sum(max(g, key=lambda p: p[0]) == max(g, key=lambda p: p[1]) for g in groups.values())
    return {
        "model": name, "conversations": len(items), "tokens": sum(len(i) for i, _ in expected),
        "ids_equal": f"{sum(a == b for a, (b, _) in zip(ids, expected))} of {len(items)}",
        "max_abs_difference": f"{max(differences):.2e}",
        "mean_abs_difference": f"{sum(differences) / len(differences):.2e}",
        "reward_range": f"{min(theirs):.2f} to {max(theirs):.2f}",
        "same_best": f"{same_best} of {len(groups)}",
        "ok": max(differences) <= BAR and all(a == b for a, (b, _) in zip(ids, expected)) and same_best == len(groups),
    }


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pairs", type=int, default=190, help="preference pairs, two conversations each")
    options.add_argument("--per-part", type=int, default=8, help="prompts of each of the 4 RM-Bench parts, 4 conversations each")
    options = options.parse_args()
    transformers.logging.set_verbosity_error()
    items = conversations(options.pairs, options.per_part)
    base = common.base_model("f32")
    rows = [compare("SmolLM2-135M + adapter", base, common.adapter(), items),
            compare("random Qwen2, 4 layers", random_qwen2(base), None, items)]
    common.write_results(
        "reward_parity", "Rewards against transformers, float32", common.machine(),
        {"model": "model", "conversations": "conversations", "tokens": "tokens", "ids_equal": "ids equal",
         "max_abs_difference": "max abs difference", "mean_abs_difference": "mean", "reward_range": "rewards",
         "same_best": "same best per prompt"},
        rows, [f"Bar: difference at most {BAR}, ids all equal, same best answer for every prompt",
               "transformers: float32, eager attention, one conversation at a time; the adapter merged by peft",
               "Conversations: harmlessness preference pairs (both sides) and RM-Bench (4 completions a prompt)"])
    sys.exit(0 if all(row["ok"] for row in rows) else 1)


if __name__ == "__main__":
    main()
