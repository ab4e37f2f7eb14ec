#!/usr/bin/env python3
"""Makes tests/goldens/bench/: random RewardBench 2 rows with scores, and the figures computed by
tools/check_aggregation.py. Python 3.11, random.Random(20260), no other package.

  python3 tools/goldens/bench.py
"""
import json
import pathlib
import random
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import check_aggregation as check  # noqa: E402

SETS = 8


def main():
    rng = random.Random(20260)
    folder = ROOT / "tests" / "goldens" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "reward_bench_2.jsonl", "w", encoding="utf-8") as file:
        for _ in range(SETS):
            rows = check.random_reward_bench_2(rng)
            short = [[row["id"], row["subset"], len(row["chosen"]), row["scores"]] for row in rows]
            file.write(json.dumps({"rows": short, "expected": check.reward_bench_2(rows)}) + "\n")


if __name__ == "__main__":
    main()
