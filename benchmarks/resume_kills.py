#!/usr/bin/env python3
"""kill -9 at random instants of training runs that go on with --resume: the same weights, byte for byte, as a run left alone.

Twenty kills per case, at instants drawn by a seed; a run that ends before its next kill is followed by another one. Cases: a tiny
model of which everything is trained, and SmolLM2-135M-Instruct with frozen layers, whose states are cached in a file.
"""

import pathlib
import random
import shutil
import subprocess
import sys
import time

import common

sys.path.insert(0, str(common.ROOT / "tests" / "e2e"))
import tiny  # noqa: E402

KILLS, SEED = 20, 1
TIMES = ("seconds", "tokens_per_second")


def start(command):
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def curve(run):
    """What was measured in each step, but for the time it took."""
    return [{key: value for key, value in line.items() if key not in TIMES} for line in common.read_jsonl(run / "metrics.jsonl")]


def killed_run(command, numbers, seconds, kills_left):
    """Starts until one comes to its end. Returns the numbers of kills and of kills before the first checkpoint."""
    run, kills, early = pathlib.Path(command[-1]), 0, 0
    while True:
        process = start([*command, "--resume"])
        try:
            status = process.wait(numbers.uniform(0.01, 0.3) * seconds if kills < kills_left else None)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
            early += not list(run.glob("checkpoints/step-*[0-9]"))
            continue
        if status != 0:
            sys.exit(f"{' '.join(command)} --resume: failed with status {status}")
        return kills, early


def differences(run, whole):
    found = []
    if (run / "model.safetensors").read_bytes() != (whole / "model.safetensors").read_bytes():
        found.append("weights")
    if curve(run) != curve(whole):
        found.append("metrics")
    leftovers = [path for path in run.rglob("*") if path.name.endswith(".tmp")]
    return found + (["unfinished files"] if leftovers else [])


def measure(name, model, data, *options):
    folder = common.WORK / "kills" / name.replace(" ", "-").replace(",", "")
    shutil.rmtree(folder, ignore_errors=True)
    command = [common.LAUREL, "train", "--model", model, "--data", data, "--save-steps", "1", *options, "--output-dir"]
    command = list(map(str, command))
    began = time.monotonic()
    if start([*command, str(folder / "whole")]).wait() != 0:
        sys.exit(f"{name}: the run that nobody kills failed")
    seconds = time.monotonic() - began
    numbers, kills, early, runs, found = random.Random(SEED), 0, 0, 0, set()
    while kills < KILLS:
        runs += 1
        run = folder / f"run-{runs}"
        more, before = killed_run([*command, str(run)], numbers, seconds, KILLS - kills)
        kills, early = kills + more, early + before
        found.update(differences(run, folder / "whole"))
    steps = len(curve(folder / "whole"))
    return {"case": name, "steps": steps, "runs": runs, "kills": kills, "early": early, "differ": ", ".join(sorted(found)) or "nothing"}


def main():
    folder = common.WORK / "kills"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    base = tiny.make_base(folder / "tiny")
    data = tiny.write_pairs(folder / "pairs.jsonl", 0, 60)
    few = tiny.write_pairs(folder / "few.jsonl", 0, 12)
    rows = [measure("tiny, all weights", base, data, "--num-epochs", 4, "--train-batch-size", 4, "--eval-split", 0.2, "--eval-steps", 7)]
    if "--tiny" not in sys.argv[1:]:
        rows.append(measure("SmolLM2-135M, 28 of 30 layers frozen", common.base_model("f32"), few, "--freeze-layers", 28,
                            "--num-epochs", 3, "--train-batch-size", 4))
    common.write_results(
        "resume_kills", "Training runs under kill -9, resumed: what differs from a run left alone", common.machine(),
        {"case": "case", "steps": "steps", "runs": "runs", "kills": "kills", "early": "of them before the first checkpoint",
         "differ": "what differs"}, rows,
        [f"Seed {SEED}; a checkpoint every step; compared: weights byte for byte, metrics but for times, files left unfinished."])
    sys.exit(any(row["differ"] != "nothing" or row["kills"] < KILLS for row in rows))


if __name__ == "__main__":
    main()
