"""What the comparisons share: data, the program, machine facts, result files."""

import gzip
import itertools
import json
import os
import pathlib
import platform
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
LAUREL = os.environ.get("LAUREL_BINARY", str(ROOT / "build" / "release" / "bin" / "laurel"))
SHARED = pathlib.Path(os.environ.get("LAUREL_SHARED", ROOT.parent / "shared")) / "data"
WORK = ROOT / "build" / "parity"


def base_model(dtype):
    """SmolLM2-135M-Instruct, converted once."""
    folder = WORK / f"SmolLM2-135M-Instruct-{dtype}"
    if not (folder / "config.json").exists():
        WORK.mkdir(parents=True, exist_ok=True)
        gguf = subprocess.run([ROOT / "tools" / "fetch_base_model"], check=True, capture_output=True, text=True).stdout.strip()
        subprocess.run([LAUREL, "convert", "--from", gguf, "--to", folder, "--dtype", dtype], check=True)
    return folder


def adapter():
    return SHARED / "models" / "smollm2-hh-lora"


def fixed_head_model(dtype):
    """The base with a score head of fixed numbers, for timings."""
    folder = WORK / f"fixed-head-{dtype}"
    if not (folder / "config.json").exists():
        subprocess.run([sys.executable, ROOT / "tools" / "fixed_head", base_model(dtype), folder], check=True)
    return folder


def read_rows(*parts):
    """Rows of a JSONL or JSON file of the shared data, gzipped or not."""
    path = SHARED.joinpath(*parts)
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        return json.load(file) if ".json" in path.suffixes else [json.loads(line) for line in file]


def read_jsonl(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def write_jsonl(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def turns(prompt, completion):
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}]


RM_BENCH_PARTS = ("chat_filtered.json", "code_filtered.json.gz", "safety-refuse_filtered.json", "safety-response_filtered.json")


def rm_bench_prompts(per_part):
    """[(prompt, [first chosen, three rejected])]: the first rows of each of the four parts, in the parts' order."""
    return [(row["prompt"], row["chosen"][:1] + row["rejected"])
            for part in RM_BENCH_PARTS for row in read_rows("rm_bench", part)[:per_part]]


def preference_pairs(count, max_length, model_dir, seed=0, longer_than=0):
    """The first `count` harmlessness pairs, in an order drawn by seed, the longer of whose sides has more than `longer_than`
    and at most `max_length` tokens."""
    from transformers import AutoTokenizer
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    rows = read_rows("preference", "hh_harmless.jsonl.gz")
    random.Random(seed).shuffle(rows)

    def fits(row):
        longer = max(len(tokenizer.apply_chat_template(row[side])) for side in ("chosen", "rejected"))
        return longer_than < longer <= max_length

    pairs = list(itertools.islice(filter(fits, rows), count))
    if len(pairs) < count:
        sys.exit(f"only {len(pairs)} pairs of {longer_than + 1} to {max_length} tokens, expected {count}")
    return pairs


class OutOfMemory(Exception):
    """A process asked for more than it was given."""


def limit_memory(size):
    """For Popen's preexec_fn: private memory of the process, in bytes."""
    return lambda: resource.setrlimit(resource.RLIMIT_DATA, (size, size))


def run_process(command, **options):
    """(standard output, seconds, peak bytes) of a process; ends the script if it fails, but for want of memory (OutOfMemory).

    The peak counts this interpreter too (Linux keeps it across exec): use it from small ones only."""
    with tempfile.TemporaryFile("w+") as errors:
        started = time.monotonic()
        process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=errors, text=True, **options)
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            said = errors.read()
            if "not enough memory" in said or "can't allocate memory" in said:
                raise OutOfMemory(said.strip().splitlines()[-1])
            sys.exit(f"{' '.join(map(str, command))}: failed with status {process.returncode}:\n{said}")
    return output, seconds, usage.ru_maxrss * 1024


def options_of(text):
    """"name=value,flag" as keywords of train()."""
    parts = [part.partition("=") for part in text.split(",") if part]
    return {name.replace("-", "_"): value if separator else True for name, separator, value in parts}


def train(model, pairs, name, **options):
    """Runs `laurel train` on pairs in their order. Returns (run directory, seconds, peak bytes)."""
    source, run = write_jsonl(WORK / f"{name}.pairs.jsonl", pairs), WORK / f"{name}.run"
    shutil.rmtree(run, ignore_errors=True)
    command = [LAUREL, "train", "--model", model, "--data", source, "--output-dir", run, "--no-shuffle"]
    for option, value in options.items():
        command += [f"--{option.replace('_', '-')}"] + ([] if value is True else [value])
    _, seconds, peak = run_process(command)
    return run, seconds, peak


def show_step(step, loss, seconds):
    if sys.stderr.isatty():
        print(f"\rstep {step}: loss {loss:.4f}, {seconds:.1f} s", end="", file=sys.stderr)


def score(model, rows, name, *options):
    """Runs `laurel score` as a process. Returns (output rows, seconds of the whole process, peak bytes)."""
    source, output = write_jsonl(WORK / f"{name}.in.jsonl", rows), WORK / f"{name}.out.jsonl"
    _, seconds, peak = run_process([LAUREL, "score", "--model", model, "--input", source, "--output", output, *options])
    return read_jsonl(output), seconds, peak


def machine():
    """Facts that a figure depends on."""
    cpu = re.search(r"^model name\s*:\s*(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    flags = pathlib.Path("/proc/cpuinfo").read_text()
    facts = {
        "cpu": cpu.group(1) if cpu else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "simd": "avx512" if " avx512f " in flags else "avx2" if " avx2 " in flags else "older",
        "laurel": subprocess.run([LAUREL, "--version"], capture_output=True, text=True).stdout.strip(),
        "python": platform.python_version(),
    }
    for module in ("torch", "transformers", "tokenizers", "peft"):
        if module in sys.modules:
            facts[module] = sys.modules[module].__version__
    return facts


def write_results(name, title, facts, columns, rows, notes=()):
    """benchmarks/results/<name>.json and .md. `rows`: dicts by the keys of `columns` (key: heading)."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    result = {"title": title, "machine": facts, "columns": columns, "rows": rows, "notes": list(notes)}
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
    lines = [f"# {title}", "", "| " + " | ".join(columns.values()) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(str(row.get(key, "")) for key in columns) + " |" for row in rows]
    lines += [""] + [f"* {note}" for note in notes]
    lines += [f"* Machine: {', '.join(f'{key} {value}' for key, value in facts.items())}", ""]
    text = "\n".join(lines)
    (RESULTS / f"{name}.md").write_text(text)
    print(text)
