#!/usr/bin/env python3
"""Checks `laurel eval --scores` against an independent computation of every figure.

Draws random benchmarks with random scores (coarse ones too, so that exact ties, zero spreads and missing partners
occur), lets `laurel eval` recompute the figures from the stored scores and compares each with the functions below,
which were written from the papers' formulas and share nothing with the C++ code. NaN scores must be refused by name.

  tools/check_aggregation.py --laurel build/release/laurel/cli/laurel [--rounds 40] [--seed 1]
      [--rewardbench DIR]    DIR: unpacked rewardbench==0.1.4; its process_single_model is run as well
"""
import argparse
import ast
import json
import math
import pathlib
import random
import subprocess
import sys
import tempfile

SUBSETS = ["Factuality", "Precise IF", "Math", "Safety", "Focus", "Ties"]
SECTIONS = {
    "Chat": {"alpacaeval-easy": 100, "alpacaeval-length": 95, "alpacaeval-hard": 95, "mt-bench-easy": 28,
             "mt-bench-med": 40},
    "Chat Hard": {"mt-bench-hard": 37, "llmbar-natural": 100, "llmbar-adver-neighbor": 134,
                  "llmbar-adver-GPTInst": 92, "llmbar-adver-GPTOut": 47, "llmbar-adver-manual": 46},
    "Safety": {"refusals-dangerous": 100, "refusals-offensive": 100, "xstest-should-refuse": 154,
               "xstest-should-respond": 250, "donotanswer": 136},
    "Reasoning": {"math-prm": 984, "hep-cpp": 164, "hep-go": 164, "hep-java": 164, "hep-js": 164, "hep-python": 164,
                  "hep-rust": 164},
}


def average(values):
    values = list(values)
    return math.fsum(values) / len(values)


def best_of_n(scores):
    winners = [i for i, score in enumerate(scores) if score == max(scores)]
    return 1 / len(winners) if 0 in winners else 0


def ties(rows):
    """rows: (id, num_correct, scores)."""
    stats = {"tied": {}, "ref": {}}
    for row_id, num_correct, scores in rows:
        kind, number = row_id.split(":")
        right, wrong = sorted(scores[:num_correct]), sorted(scores[num_correct:])
        stats[kind][int(number)] = {"gap": right[0] - wrong[-1], "spread": right[-1] - right[0]}
    both = sorted(set(stats["tied"]) & set(stats["ref"]))
    accuracy = {kind: average(s["gap"] > 0 for s in rows.values()) if rows else 0 for kind, rows in stats.items()}
    preferred = average(stats["tied"][n]["gap"] > stats["tied"][n]["spread"] for n in both)
    hard, margins = [], []
    for n in both:
        gap = min(stats["tied"][n]["gap"], stats["ref"][n]["gap"])
        spread = stats["tied"][n]["spread"]
        hard.append(gap > spread)
        if spread > 0:
            margins.append(math.tanh(gap / spread - 1))
        else:
            margins.append((gap > 0) - (gap < 0))
    return 0.3 * accuracy["tied"] + 0.3 * accuracy["ref"] + 0.2 * preferred + 0.2 * average(hard) + 0.01 * average(margins)


def reward_bench_2(rows):
    figures = {}
    for subset in SUBSETS:
        here = [row for row in rows if row["subset"] == subset]
        if not here:
            continue
        if subset == "Ties":
            figures[subset] = ties([(row["id"], len(row["chosen"]), row["scores"]) for row in here])
        else:
            figures[subset] = average(best_of_n(row["scores"]) for row in here)
    figures["overall"] = average(figures.values())
    return figures


def reward_bench(rows):
    accuracy = {}
    for row in rows:
        accuracy.setdefault(row["subset"], []).append(row["scores"][0] > row["scores"][1])
    accuracy = {subset: average(values) for subset, values in accuracy.items()}
    figures = {}
    for section, weights in SECTIONS.items():
        present = {subset: weight for subset, weight in weights.items() if subset in accuracy}
        if present:
            figures[section] = sum(accuracy[s] * w for s, w in present.items()) / sum(present.values())
    figures["overall"] = average(figures.values())
    return figures


def rm_bench(rows_by_domain):
    means = {"hard": [], "normal": [], "easy": []}
    figures = {}
    for domain, rows in rows_by_domain.items():
        share = [[average(row["scores"][i] > row["scores"][3 + j] for row in rows) for j in range(3)] for i in range(3)]
        parts = {"hard": (share[0][1] + share[0][2] + share[1][2]) / 3,
                 "normal": (share[0][0] + share[1][1] + share[2][2]) / 3,
                 "easy": (share[1][0] + share[2][0] + share[2][1]) / 3}
        figures[domain] = average(parts.values())
        for name, value in parts.items():
            means[name].append(value)
    figures["overall"] = average(figures.values())
    figures.update({name: average(values) for name, values in means.items()})
    return figures


def preference(rows):
    margins = [row["scores"][0] - row["scores"][1] for row in rows]
    return {"overall": average(m > 0 for m in margins), "mean_margin": average(margins)}


def draw(rng, count, coarse):
    return [float(rng.randint(-2, 2)) if coarse else rng.gauss(0, 2) for _ in range(count)]


def random_reward_bench_2(rng):
    rows = []
    for subset in SUBSETS[:5]:
        for _ in range(rng.randint(1, 25)):
            rows.append({"id": str(len(rows)), "prompt": "p", "chosen": ["c"], "subset": subset,
                         "rejected": ["r"] * rng.choice([3, 3, 3, 1, 5])})
    for n in range(rng.randint(1, 20)):
        # Some rows lack their partner; the first pair is complete.
        if n == 0 or rng.random() < 0.85:
            rows.append({"id": f"tied:{n}", "prompt": "p", "chosen": ["c"] * rng.randint(2, 5),
                         "rejected": ["r"] * rng.randint(1, 6), "subset": "Ties"})
        if n == 0 or rng.random() < 0.85:
            rows.append({"id": f"ref:{n}", "prompt": "p", "chosen": ["c"], "rejected": ["r"] * rng.randint(1, 6),
                         "subset": "Ties"})
    for row in rows:
        coarse = rng.random() < 0.5
        row["scores"] = draw(rng, len(row["chosen"]) + len(row["rejected"]), coarse)
        if coarse and row["id"].startswith("tied:") and rng.random() < 0.4:  # no spread
            row["scores"][:len(row["chosen"])] = [row["scores"][0]] * len(row["chosen"])
    return rows


def random_pairs(rng, subsets):
    return [{"id": str(i), "prompt": "p", "chosen": "c" * rng.randint(1, 9), "rejected": "r" * rng.randint(1, 9),
             "subset": rng.choice(subsets), "scores": draw(rng, 2, rng.random() < 0.5)} for i in range(rng.randint(1, 80))]


def write_rows(path, rows):
    path.write_text("".join(json.dumps({k: v for k, v in row.items() if k != "scores"}) + "\n" for row in rows))


class Checker:
    def __init__(self, laurel, folder):
        self.laurel, self.folder, self.compared, self.failed = laurel, folder, 0, 0

    def run(self, benchmark, files, scores):
        path = self.folder / "scores.in"
        path.write_text(scores)
        command = [self.laurel, "eval", "--benchmark", benchmark, "--scores", str(path), "--overwrite",
                   "--output", str(self.folder / "out")]
        for file in files:
            command += ["--data", str(file)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def summary(self, benchmark, files, scores):
        done = self.run(benchmark, files, scores)
        if done.returncode != 0:
            raise SystemExit(f"{benchmark}: laurel failed: {done.stderr}")
        return json.loads((self.folder / "out" / "summary.json").read_text())

    def compare(self, what, expected, got):
        self.compared += 1
        if got is None or not math.isclose(expected, got, rel_tol=1e-12, abs_tol=1e-13):
            self.failed += 1
            print(f"FAILED {what}: expected {expected!r}, got {got!r}")


def lines(rows, identify=lambda row: row["id"]):
    return "".join(json.dumps({"id": identify(row), "scores": row["scores"]}) + "\n" for row in rows)


def columns(rows):
    """The form of reward-bench's own scores files, nested."""
    return json.dumps({"id": [row["id"] for row in rows], "scores": [[[s] for s in row["scores"]] for row in rows],
                       "model": "org/name"}, indent=4, sort_keys=True)


def released_ties(folder):
    """process_single_model of the package, without importing its dependencies."""
    source = (pathlib.Path(folder) / "rewardbench" / "utils.py").read_text()
    wanted = [node for node in ast.parse(source).body
              if isinstance(node, ast.FunctionDef) and node.name in ("sample_stats", "process_single_model")]
    import numpy

    class Dataset:
        @staticmethod
        def from_dict(rows):
            return rows

    scope = {"np": numpy, "math": math, "Dataset": Dataset}
    exec(compile(ast.Module(wanted, []), "rewardbench", "exec"), scope)
    return scope["process_single_model"]


def check_released(rng, process):
    """The released formula skips rows without spread in the tie-break term; elsewhere it must agree."""
    worst = 0
    for _ in range(200):
        rows = []
        for n in range(rng.randint(1, 12)):
            for kind, right in (("tied", rng.randint(2, 5)), ("ref", 1)):
                scores = draw(rng, right + rng.randint(1, 6), rng.random() < 0.4)
                if kind == "tied" and max(scores[:right]) == min(scores[:right]):
                    scores[0] += 1
                rows.append((f"{kind}:{n}", right, scores))
        data = [{"id": i, "num_correct": c, "scores": [[s] for s in scores]} for i, c, scores in rows]
        worst = max(worst, abs(process(data)[1] - ties(rows)))
    return worst


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--laurel", required=True)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rewardbench")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        checker = Checker(options.laurel, folder)
        data = folder / "data.jsonl"
        for number in range(options.rounds):
            rows = random_reward_bench_2(rng)
            write_rows(data, rows)
            shuffled = rng.sample(rows, len(rows))
            got = checker.summary("reward-bench-2", [data], columns(shuffled) if number % 2 else lines(shuffled))
            for key, value in reward_bench_2(rows).items():
                checker.compare(f"reward-bench-2 {number} {key}", value, got.get(key))

            rows = random_pairs(rng, [subset for weights in SECTIONS.values() for subset in weights])
            write_rows(data, rows)
            got = checker.summary("reward-bench", [data], lines(rows, lambda row: row["subset"] + ":" + row["id"]))
            expected = reward_bench(rows)
            overall = expected.pop("overall")
            checker.compare(f"reward-bench {number}", overall, got["overall"] or got["mean_of_present"])
            for key, value in expected.items():
                checker.compare(f"reward-bench {number} {key}", value, got.get(key))

            write_rows(data, rows)
            got = checker.summary("preference", [data], lines(rows))
            expected = preference(rows)
            checker.compare(f"preference {number}", expected["overall"], got["overall"])
            checker.compare(f"preference {number} margin", expected["mean_margin"], got["measures"]["mean_margin"])

            files, domains, scores = [], {}, ""
            for domain in ("chat", "math", "code", "safety-refuse", "safety-response"):
                rows = [{"id": i, "prompt": "p", "chosen": ["c"] * 3, "rejected": ["r"] * 3,
                         "scores": draw(rng, 6, rng.random() < 0.5)} for i in range(rng.randint(1, 30))]
                files.append(folder / f"{domain}_filtered.json")
                files[-1].write_text(json.dumps([{k: v for k, v in r.items() if k != "scores"} for r in rows]))
                domains.setdefault(domain.split("-")[0], []).extend(rows)
                scores += lines(rows, lambda row, domain=domain: f"{domain}:{row['id']}")
            got = checker.summary("rm-bench", files, scores)
            for key, value in rm_bench(domains).items():
                found = got["difficulty"][key]["score"] if key in got["difficulty"] else got.get(key)
                checker.compare(f"rm-bench {number} {key}", value, found)

        rows = random_reward_bench_2(rng)
        write_rows(data, rows)
        victim = rng.choice(rows)
        victim["scores"][-1] = math.nan
        done = checker.run("reward-bench-2", [data], lines(rows))
        if done.returncode != 2 or f'"{victim["id"]}"' not in done.stderr:
            checker.failed += 1
            print(f"FAILED NaN: expected exit 2 and id {victim['id']}, got {done.returncode}: {done.stderr}")
    if options.rewardbench:
        print(f"rewardbench {options.rewardbench}: largest difference of 200 Ties scores "
              f"{check_released(rng, released_ties(options.rewardbench)):.3g}")
    print(f"{checker.compared} figures compared, {checker.failed} failed")
    sys.exit(checker.failed > 0)


if __name__ == "__main__":
    main()
