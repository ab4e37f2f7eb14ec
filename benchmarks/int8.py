#!/usr/bin/env python3
"""Int8 scoring against our float32: order of pairs, error of rewards, accuracy, speed by instruction set, start from a pack.

SmolLM2-135M with the trained adapter. Pairs are those within a prompt: chosen and rejected of harmlessness pairs, and all pairs
of an RM-Bench prompt's completions. A pair counts for the order if its float32 margin is above the 5th percentile of margins.
Accuracy: share of pairs of a right and a wrong answer that are ordered rightly. Seconds are those of scoring, without start.
"""

import argparse
import itertools
import json
import math
import os
import shutil
import statistics
import subprocess
import sys

import common

ISAS = ("avx512_amx", "avx512_vnni", "avx2")  # those that the machine has; rewards are those of the first
AGREEMENT_BAR, ACCURACY_BAR = 99.5, 0.3  # percent of pairs; points
SPEED_BARS = {"avx512_amx": 2.5, "avx512_vnni": 2.5, "avx2": 1.5}


def make_pack(options):
    """Converts anew, so that the pack is of this program."""
    folder = common.WORK / "int8-pack"
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([common.LAUREL, "convert", "--from", common.base_model("f32"), "--adapter", common.adapter(), "--to", folder,
                    "--dtype", "int8", *options.split()], check=True, capture_output=True)
    return folder


def available_isas():
    info = subprocess.run([common.LAUREL, "info", "--json"], check=True, capture_output=True, text=True)
    return [isa for isa in ISAS if isa in json.loads(info.stdout)["available_isas"]]


def score(model, source, name, *options, isa="best"):
    """(rewards by row, seconds of scoring, seconds of the whole process)"""
    output = common.WORK / f"{name}.out.jsonl"
    command = [common.LAUREL, "score", "--model", model, "--input", source, "--output", output, *options]
    _, seconds, _ = common.run_process(command, env={**os.environ, "LAUREL_ISA": isa})
    manifest = json.loads(output.with_name(output.name + ".manifest.json").read_text())
    return [row["rewards"] for row in common.read_jsonl(output)], manifest["seconds"], seconds


def pairs(rewards):
    return [(i, a, b) for i, row in enumerate(rewards) for a, b in itertools.combinations(range(len(row)), 2)]


def root_mean_square(values):
    return math.sqrt(statistics.fmean(value * value for value in values))


def compare(exact, fast):
    """Whether rewards are within the bars, and a row's figures."""
    places = pairs(exact)
    margins = [(exact[i][a] - exact[i][b], fast[i][a] - fast[i][b]) for i, a, b in places]
    limit = sorted(abs(margin) for margin, _ in margins)[len(margins) // 20]
    ordered = [x * y > 0 for x, y in margins if abs(x) > limit]
    flat = list(zip(itertools.chain(*exact), itertools.chain(*fast)))
    errors = [y - x for x, y in flat]
    right = [sum(row[0] > other for other in row[1:]) for rows in (exact, fast) for row in rows]
    count, half = sum(len(row) - 1 for row in exact), len(exact)
    agreement, accuracy = 100 * sum(ordered) / len(ordered), 100 * (sum(right[half:]) - sum(right[:half])) / count
    return agreement >= AGREEMENT_BAR and abs(accuracy) <= ACCURACY_BAR, {
        "agreement": f"{agreement:.2f} % of {len(ordered):,}",
        "error": f"{root_mean_square(errors) / statistics.pstdev(x for x, _ in flat):.3f}",
        "largest": f"{max(map(abs, errors)):.3f}",
        "margin": f"{root_mean_square(y - x for x, y in margins) / root_mean_square(x for x, _ in margins):.3f}",
        "correlation": f"{statistics.correlation(*zip(*flat)):.4f}",
        "accuracy": f"{accuracy:+.2f}",
    }


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pairs", type=int, default=300)
    options.add_argument("--prompts", type=int, default=40, help="a quarter from each RM-Bench part")
    options.add_argument("--settings", default=",--max-error 0.0125,--compact", help="options of laurel convert, with commas between")
    options.add_argument("--threads", default="1")
    options = options.parse_args()
    threads = ("--threads", options.threads)
    base = common.base_model("f32")
    rows = [{"chosen": pair["chosen"], "rejected": pair["rejected"]} for pair in common.preference_pairs(options.pairs, 400, base)]
    rows += [{"prompt": prompt, "completions": answers} for prompt, answers in common.rm_bench_prompts(options.prompts // 4)]
    source = common.write_jsonl(common.WORK / "int8.in.jsonl", rows)
    short = common.write_jsonl(common.WORK / "int8.short.jsonl", [{"prompt": "Say hello.", "response": "Hello there!"}])
    isas = available_isas()
    exact = {isa: score(base, source, f"int8-f32-{isa}", "--adapter", common.adapter(), *threads, isa=isa) for isa in isas}
    results, ok = [], False
    for setting in options.settings.split(","):
        pack = make_pack(setting)
        fast = {isa: score(pack, source, f"int8-{isa}", *threads, isa=isa) for isa in isas}
        start = min(score(pack, short, "int8-short", *threads)[2] for _ in range(5))
        within, figures = compare(exact[isas[0]][0], fast[isas[0]][0])
        speeds = {isa: round(exact[isa][1] / fast[isa][1], 2) for isa in isas}
        ok = ok or (within and all(speed >= SPEED_BARS[isa] for isa, speed in speeds.items()))
        results.append({"setting": setting or "default", **figures, **speeds, "start": round(start, 3)})
    common.write_results(
        "int8", f"Int8 against float32, {options.pairs} pairs and {options.prompts} RM-Bench prompts, 135M parameters",
        {**common.machine(), "threads": options.threads},
        {"setting": "convert", "agreement": "same order", "error": "error / deviation", "largest": "largest error",
         "margin": "margin error", "correlation": "correlation", "accuracy": "accuracy, points",
         **{isa: f"speed, {isa}" for isa in isas}, "start": "one short row, whole process, s"},
        results, ["Bars, for one setting: same order 99.5 %, accuracy within 0.3 points, speed 2.5 (with VNNI or AMX) and 1.5 (AVX2)"])
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
