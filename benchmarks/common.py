"""What the comparisons share: data, the program, machine facts, result files."""

import gzip
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
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


def score(model, rows, name, *options):
    """Runs `laurel score` as a process. Returns (output rows, seconds of the whole process, peak bytes).

    The peak counts this interpreter too (Linux keeps it across exec): use it from small ones only."""
    source, output = write_jsonl(WORK / f"{name}.in.jsonl", rows), WORK / f"{name}.out.jsonl"
    started = time.monotonic()
    process = subprocess.Popen([LAUREL, "score", "--model", str(model), "--input", str(source), "--output", str(output),
                                *map(str, options)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"laurel score failed:\n{errors.decode()}")
    return read_jsonl(output), time.monotonic() - started, usage.ru_maxrss * 1024


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
    result = {"title": title, "machine": facts, "rows": rows, "notes": list(notes)}
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
    lines = [f"# {title}", "", "| " + " | ".join(columns.values()) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(str(row.get(key, "")) for key in columns) + " |" for row in rows]
    lines += [""] + [f"* {note}" for note in notes]
    lines += [f"* Machine: {', '.join(f'{key} {value}' for key, value in facts.items())}", ""]
    text = "\n".join(lines)
    (RESULTS / f"{name}.md").write_text(text)
    print(text)
