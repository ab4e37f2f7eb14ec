"""What the end-to-end tests share: the program, the models, rows in and rows out. Standard library only."""

import functools
import gzip
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "e2e"  # models made once per run of the suite, kept for a look afterwards
BINARY = os.environ.get("LAUREL_BINARY", str(ROOT / "build" / "dev" / "bin" / "laurel"))


def shared(*parts):
    """A file of the developers' material; the test is skipped where it is absent."""
    folder = os.environ.get("LAUREL_SHARED", str(ROOT.parent / "shared"))
    path = pathlib.Path(folder, "data", *parts)
    if not path.exists():
        raise unittest.SkipTest(f"{'/'.join(parts)} is not here (LAUREL_SHARED)")
    return path


def with_parquet(path):
    """`path`; the test is skipped where the program has no Parquet plug-in."""
    if not (pathlib.Path(BINARY).parents[1] / "lib" / "laurel" / "liblaurel_parquet.so").exists():
        raise unittest.SkipTest("the Parquet plug-in was not built (tools/setup parquet)")
    return path


def laurel(*arguments, stdin=None, env=None, timeout=900):
    """Runs the program. `stdin` are bytes or text; without them standard input is empty."""
    if isinstance(stdin, str):
        stdin = stdin.encode()
    return subprocess.run([BINARY, *map(str, arguments)], input=stdin or b"", capture_output=True, timeout=timeout,
                          env={**os.environ, **(env or {})})


@functools.cache
def gguf():
    path = os.environ.get("LAUREL_SMOLLM2_GGUF", "")
    if not path:
        raise unittest.SkipTest("the base model is not here (LAUREL_SMOLLM2_GGUF; tools/fetch_base_model)")
    return path


def fresh(name):
    """Whether WORK/name was made by this very program; removes it if not."""
    folder, stamp = WORK / name, WORK / f"{name}.made_by"
    facts = f"{BINARY} {os.stat(BINARY).st_mtime_ns}"
    if (folder / "config.json").exists() and stamp.exists() and stamp.read_text() == facts:
        return True
    shutil.rmtree(folder, ignore_errors=True)
    WORK.mkdir(parents=True, exist_ok=True)
    stamp.write_text(facts)
    return False


@functools.cache
def base_model(dtype="bf16"):
    """SmolLM2-135M-Instruct as a Hugging Face directory, without a score head."""
    if dtype == "bf16" and os.environ.get("LAUREL_MODEL_DIR"):
        return pathlib.Path(os.environ["LAUREL_MODEL_DIR"])
    folder = WORK / f"SmolLM2-135M-Instruct-{dtype}"
    if not fresh(folder.name):
        done = laurel("convert", "--from", gguf(), "--to", folder, "--dtype", dtype)
        if done.returncode != 0:
            raise AssertionError(f"convert failed: {done.stderr.decode()}")
    return folder


@functools.cache
def fixed_head_model(dtype="bf16"):
    """The base with a score head of fixed numbers: a reward model that needs nothing but PyPI."""
    folder = WORK / ("fixed-head" if dtype == "bf16" else f"fixed-head-{dtype}")
    source = base_model(dtype)
    if not fresh(folder.name):
        subprocess.run([sys.executable, ROOT / "tools" / "fixed_head", source, folder], check=True, capture_output=True)
    return folder


def adapter():
    return shared("models", "smollm2-hh-lora")


def read_jsonl(path):
    opened = gzip.open(path, "rt", encoding="utf-8") if str(path).endswith(".gz") else open(path, encoding="utf-8")
    with opened as lines:
        return [json.loads(line) for line in lines]


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def float32_bits(value):
    return struct.pack("<f", value)


# Short conversations in every form that a row may have, for tests of behavior rather than of figures.
ROWS = [
    {"id": "m", "messages": [{"role": "user", "content": "Name a color."}, {"role": "assistant", "content": "Blue."}]},
    {"id": "pc", "prompt": "What is 2 + 2?", "completions": ["4", "5", "It is four, as everybody knows."]},
    {"id": "pr", "prompt": "Say hello.", "response": "Hello there!"},
    {"id": "cr", "prompt": "Be kind.", "chosen": "You look well.", "rejected": "Go away."},
    {"id": "crm", "chosen": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hi, you."}],
     "rejected": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "No."}]},
    {"id": "t", "text": "<|im_start|>user\nName a color.<|im_end|>\n<|im_start|>assistant\nRed.<|im_end|>\n"},
    {"id": "ids", "input_ids": [1, 4093, 198, 2683, 2, 198]},
    {"messages": [{"role": "user", "content": "A longer question, café 日本 🎉, with\nlines?"},
                  {"role": "assistant", "content": "An answer that goes on. " * 12}]},
]


class Case(unittest.TestCase):
    """A test with a folder of its own."""

    maxDiff = 2000

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="laurel_e2e_"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, name):
        return self.folder / name

    def succeed(self, *arguments, **options):
        done = laurel(*arguments, **options)
        self.assertEqual(done.returncode, 0, f"laurel {' '.join(map(str, arguments))}\n{done.stderr.decode()}")
        return done

    def refuse(self, *arguments, status=2, says=(), **options):
        """The command must end with this exit status and one clear message that holds all of `says`."""
        done = laurel(*arguments, **options)
        command = f"laurel {' '.join(map(str, arguments))}"
        text = done.stderr.decode()
        self.assertEqual(done.returncode, status, f"{command}\n{text}")
        for words in says:
            self.assertIn(words, text, command)
        return text

    def score(self, rows, *options, model=None, name="out.jsonl", env=None):
        """Output rows of `laurel score` for these input rows."""
        source = rows if isinstance(rows, pathlib.Path) else write_jsonl(self.path("in.jsonl"), rows)
        output = self.path(name)
        self.succeed("score", "--model", model or fixed_head_model(), "--input", source, "--output", output, *options, env=env)
        return read_jsonl(output)

    def left_in_folder(self, *known):
        """Names in the test's folder besides the known ones: what a failed command left behind."""
        return sorted(p.name for p in self.folder.iterdir() if p.name not in known)


def rewards_of(rows):
    return [[float32_bits(reward) for reward in row["rewards"]] for row in rows]
