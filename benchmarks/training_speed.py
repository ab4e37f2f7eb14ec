#!/usr/bin/env python3
"""Training speed and peak memory against TRL's RewardTrainer: all weights of a 135M model, float32, the same pairs in the same
order, 8 pairs a step, at most 512 tokens a side, then 513 to 2048.

Real tokens per second of forward, backward and step: padding is not counted, and a shared prompt counts in both sides, as the
peer computes it. The first step of a run warms up and does not count. TRL runs with gradient checkpointing (its default) and
without, where the machine's memory suffices; the faster one is the peer. Runs alternate; rates are medians. Each run is a
process of its own, with its own peak.
"""

import argparse
import json
import os
import statistics
import sys

import common

PEER_MEMORY = int(0.92 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def trl(model_dir, pairs, max_length, options, checkpointing):
    """{rate, peak, losses, versions} of a run of TRL's trainer."""
    source = common.write_jsonl(common.WORK / "trl.pairs.jsonl", pairs)
    command = [sys.executable, common.ROOT / "benchmarks" / "trl_reward.py", "--model", model_dir, "--data", source,
               "--output-dir", common.WORK / "trl.run", "--max-length", max_length, "--batch-size", options.batch_size]
    output, _, peak = common.run_process(command + (["--gradient-checkpointing"] if checkpointing else []),
                                         preexec_fn=common.limit_memory(PEER_MEMORY))
    facts = json.loads(output.strip().splitlines()[-1])
    return {"rate": sum(facts["tokens"][1:]) / sum(facts["seconds"][1:]), "peak": peak, "losses": facts["losses"],
            "tokens": sum(facts["tokens"]),
            "versions": {key: facts[key] for key in ("trl", "torch", "transformers", "torch threads")}}


def laurel(model_dir, pairs, max_length, options):
    run, _, peak = common.train(model_dir, pairs, "training-speed", train_batch_size=options.batch_size, num_epochs=1,
                                max_length=max_length, learning_rate=2e-5, adam_epsilon=1e-5, weight_decay=0.01,
                                lr_scheduler_type="linear", **common.options_of(options.laurel))
    rows = common.read_jsonl(run / "metrics.jsonl")
    return {"rate": sum(row["num_tokens"] for row in rows[1:]) / sum(row["seconds"] for row in rows[1:]), "peak": peak,
            "losses": [row["loss"] for row in rows], "tokens": sum(row["num_tokens"] for row in rows)}


def spread(runs):
    rates = [run["rate"] for run in runs]
    return f"{min(rates):.0f} to {max(rates):.0f}"


def describe(name, runs):
    return {"trainer": name, "tokens": f"{runs[0]['tokens']:,}", "rate": round(statistics.median(run["rate"] for run in runs)),
            "spread": spread(runs), "peak": f"{max(run['peak'] for run in runs) / 1e9:.2f} GB", "last_loss": f"{runs[-1]['losses'][-1]:.4f}"}


def describe_peer(name, runs, ours):
    if not runs:
        return {"trainer": name, "rate": "out of memory", "peak": f"> {PEER_MEMORY / 1e9:.1f} GB"}
    row = describe(name, runs)
    row["faster"] = f"{ours['rate'] / row['rate']:.2f}"
    row["memory"] = f"{float(ours['peak'].split()[0]) / float(row['peak'].split()[0]):.2f}"
    return row


def compare(model_dir, longer_than, max_length, options):
    """(result rows, versions, whether both bars are met) for pairs of longer_than + 1 to max_length tokens."""
    pairs = common.preference_pairs(options.batch_size * (options.steps + 1), max_length, model_dir, seed=1, longer_than=longer_than)
    settings = options.checkpointing.split(",")
    runs = {side: [] for side in ("laurel", *settings)}
    for _ in range(options.runs):
        runs["laurel"].append(laurel(model_dir, pairs, max_length, options))
        for setting in list(settings):
            try:
                runs[setting].append(trl(model_dir, pairs, max_length, options, setting == "on"))
            except common.OutOfMemory:
                settings.remove(setting)
    ours = describe("laurel train", runs.pop("laurel"))
    rows = [ours] + [describe_peer(f"TRL, gradient checkpointing {setting}", group, ours) for setting, group in runs.items()]
    peers = [row for row in rows[1:] if "faster" in row]
    for row in rows:
        row["lengths"] = f"{longer_than + 1} to {max_length}"
    fastest = max(peers, key=lambda row: row["rate"])
    same = len({row["tokens"] for row in [ours, *peers]}) == 1
    return rows, next(run["versions"] for group in runs.values() for run in group), (
        same and float(fastest["faster"]) >= 3 and float(fastest["memory"]) <= 0.35)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--max-lengths", default="512,2048")
    options.add_argument("--steps", type=int, default=6, help="counted steps of a run")
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--batch-size", type=int, default=8, help="pairs a step")
    options.add_argument("--checkpointing", default="on,off", help="of the peer: on, off or both")
    options.add_argument("--laurel", default="", help="further options of laurel train: name=value,…")
    options.add_argument("--short", action="store_true", help="two steps, one run: to see that everything works")
    options = options.parse_args()
    if options.short:
        options.steps, options.runs = 2, 1
        common.RESULTS = common.WORK  # no figures to keep
    model_dir = common.fixed_head_model("f32")
    results, facts, ok, longer_than = [], common.machine(), True, 0
    for max_length in map(int, options.max_lengths.split(",")):
        rows, versions, within = compare(model_dir, longer_than, max_length, options)
        longer_than = max_length
        results += rows
        facts.update(versions)
        ok = ok and within
    common.write_results(
        "training_speed", f"Training all weights, 135M parameters, float32, {options.batch_size} pairs a step", facts,
        {"lengths": "tokens of the longer side", "trainer": "", "tokens": "real tokens", "rate": "real tokens/s", "spread": "of the runs",
         "faster": "Laurel is faster by", "peak": "peak memory", "memory": "Laurel's share of it", "last_loss": "last loss"},
        results,
        [f"{options.runs} runs each of {options.steps} steps after a warm-up step, harmlessness pairs in the same order",
         "Bars, against the faster setting of the peer: 3 times its tokens per second, at most 0.35 of its peak memory"])
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
