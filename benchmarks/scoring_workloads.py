#!/usr/bin/env python3
"""Scoring speed on what reward models are used for: pairs, best-of-16, many short answers, long conversations.

Against a transformers loop sorted by length in batches of 8 (conversations beyond 4,000 tokens: one by one), the fastest that a
user writes without more effort. 135M parameters, float32. `laurel score` is timed as a whole process; the loop without start and
load. Runs alternate; rates are medians.
"""

import argparse
import statistics
import sys

import torch

import common
import peer_scoring

BEST_OF_BAR = 3.0


def words_of(rows):
    """Real text without end."""
    return [word for row in rows for message in row["chosen"] for word in message["content"].split()]


class Text:
    """Consecutive stretches of real words, cut to a number of tokens."""

    def __init__(self, peer):
        self.peer = peer
        self.words = words_of(common.read_rows("preference", "hh_harmless.jsonl.gz"))
        self.at = 0

    def take(self, num_tokens):
        words = self.words[self.at : self.at + num_tokens]  # a word has at least one token
        self.at = (self.at + num_tokens) % (len(self.words) // 2)
        ids = self.peer.tokenizer(" ".join(words), add_special_tokens=False)["input_ids"][:num_tokens]
        return self.peer.tokenizer.decode(ids)


def prompts_with(text, count, prompt_tokens, completions, completion_tokens):
    return [{"prompt": text.take(prompt_tokens), "completions": [text.take(completion_tokens) for _ in range(completions)]}
            for _ in range(count)]


def workloads(peer):
    """{name: (rows of laurel score, batch size of the peer)}"""
    text = Text(peer)
    pairs = common.preference_pairs(24, 512, common.fixed_head_model("f32"), seed=2)
    return {
        "24 preference pairs": ([{"chosen": pair["chosen"], "rejected": pair["rejected"]} for pair in pairs], 8),
        "best of 16: 3 prompts of 600 tokens, completions of 150": (prompts_with(text, 3, 600, 16, 150), 8),
        "ties: 6 prompts of 60 tokens, 20 answers of 12": (prompts_with(text, 6, 60, 20, 12), 8),
        "2 conversations of 4,500 and 7,500 tokens": (
            [{"messages": common.turns(text.take(size - 300), text.take(300))} for size in (4500, 7500)], 1),
    }


def texts_of(peer, rows):
    texts = []
    for row in rows:
        if "completions" in row:
            texts += [peer.render(common.turns(row["prompt"], completion)) for completion in row["completions"]]
        elif "chosen" in row:
            texts += [peer.render(row["chosen"]), peer.render(row["rejected"])]
        else:
            texts.append(peer.render(row["messages"]))
    return texts


def measure(peer, model_dir, name, rows, batch_size, runs):
    texts = texts_of(peer, rows)
    real = sum(peer.num_tokens(text) for text in texts)
    ours, theirs, worst = [], [], 0.0
    for _ in range(runs):
        scored, seconds, _ = common.score(model_dir, rows, "workload")
        ours.append(seconds)
        rewards, seconds, _ = peer.score(texts, batch_size, is_sorted=True, max_length=8192)
        theirs.append(seconds)
        worst = max(abs(a - b) for a, b in zip((r for row in scored for r in row["rewards"]), rewards))
    return {"workload": name, "tokens": f"{real:,}", "laurel": round(real / statistics.median(ours)),
            "peer": round(real / statistics.median(theirs)),
            "ratio": f"{statistics.median(theirs) / statistics.median(ours):.2f}", "difference": f"{worst:.1e}"}


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=3)
    options = options.parse_args()
    model_dir = common.fixed_head_model("f32")
    peer = peer_scoring.Peer(model_dir)
    results = [measure(peer, model_dir, name, rows, batch_size, options.runs)
               for name, (rows, batch_size) in workloads(peer).items()]
    common.write_results(
        "scoring_workloads", "Scoring, by workload, 135M parameters, float32",
        {**common.machine(), "torch threads": torch.get_num_threads()},
        {"workload": "", "tokens": "real tokens", "laurel": "laurel score, tokens/s", "peer": "transformers, sorted, tokens/s",
         "ratio": "Laurel is faster by", "difference": "largest difference of a reward"},
        results, [f"{options.runs} runs each, medians", f"Bar: {BEST_OF_BAR:g} times for best of 16"])
    best_of = next(row for row in results if row["workload"].startswith("best of 16"))
    sys.exit(0 if float(best_of["ratio"]) >= BEST_OF_BAR else 1)


if __name__ == "__main__":
    main()
