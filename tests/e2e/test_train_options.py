"""What the options of laurel train do, and what it says to wrong ones, on a model of milliseconds."""

import json
import struct
import subprocess

import tiny
from support import BINARY, Case, read_jsonl, write_jsonl


class TrainingOptions(Case):
    def setUp(self):
        super().setUp()
        self.base = tiny.make_base(self.path("base"))
        self.data = tiny.write_pairs(self.path("pairs.jsonl"), 0, 20)
        self.run_folder = self.path("runs") / "run"

    def options(self, *more, data=None):
        return ("train", "--model", self.base, "--data", data or self.data, "--output-dir", self.run_folder, "--train-batch-size", 4,
                *(() if "--learning-rate" in more else ("--learning-rate", "1e-3")), *more)

    def train(self, *more):
        self.succeed(*self.options(*more))
        return json.loads((self.run_folder / "run.json").read_text())

    def refuse_without_trace(self, *more, says, data=None, status=2):
        self.refuse(*self.options(*more, data=data), says=says, status=status)
        self.assertFalse(self.run_folder.parent.exists(), list(self.path("runs").rglob("*")))

    def conversations(self):
        return [{"messages": [{"role": "user", "content": "4 + 1?"}, {"role": "assistant", "content": text}]} for text in ("it is 5.", "no")]

    def spoil_embedding(self, character):
        """Makes a character's embedding infinite."""
        file = self.base / "model.safetensors"
        data = bytearray(file.read_bytes())
        length = struct.unpack("<Q", data[:8])[0]
        tensor = json.loads(data[8:8 + length])["model.embed_tokens.weight"]
        row_bytes = tensor["shape"][1] * {"F32": 4, "BF16": 2}[tensor["dtype"]]
        infinity = {"F32": struct.pack("<f", float("inf")), "BF16": b"\x80\x7f"}[tensor["dtype"]]
        token = len(tiny.SPECIAL) + tiny.CHARACTERS.index(character)
        begin = 8 + length + tensor["data_offsets"][0] + token * row_bytes
        data[begin:begin + len(infinity)] = infinity
        file.write_bytes(data)

    def test_benchmarks_run_while_it_trains(self):
        rows, name = self.path("mini.jsonl"), "reward-bench-2"
        self.succeed("mini", "--split", "test", "--size", 30, "--output", rows)
        record = self.train("--eval-benchmark", name, "--eval-benchmark-data", rows, "--eval-steps", 2, "--eval-on-start")
        self.assertEqual([(e["step"], e["benchmark"]) for e in record["evaluations"]], [(step, name) for step in (0, 2, 4, 5)])
        self.assertIn(f"{name}: step 0 against step 5", (self.run_folder / "report.html").read_text())
        for evaluation in record["evaluations"]:
            folder = self.run_folder / "evaluations" / f"step-{evaluation['step']:08}-{name}"
            summary = json.loads((folder / "summary.json").read_text())
            self.assertEqual(summary["overall"], evaluation["overall"])
        self.assertEqual(set(evaluation["subsets"]), set(tiny.SUBSETS + ["Ties"]))
        self.succeed("eval", "--model", self.run_folder, "--benchmark", name, "--data", rows, "--output", self.path("eval"))
        scores = [read_jsonl(place / "scores.jsonl") for place in (folder, self.path("eval"))]
        self.assertEqual(*[[row["scores"] for row in rows] for rows in scores])

    def test_every_epoch_is_a_model_of_its_own(self):
        self.train("--num-epochs", 3, "--export-epochs")
        weights = [(self.run_folder / f"epoch-{n}" / "model.safetensors").read_bytes() for n in (1, 2, 3)]
        self.assertEqual(len(set(weights)), 3)
        self.assertEqual(weights[2], (self.run_folder / "model.safetensors").read_bytes())
        self.assertEqual(len(self.score(self.conversations(), model=self.run_folder / "epoch-1")), 2)

    def test_a_held_out_share_is_not_trained_on(self):
        record = self.train("--eval-split", 0.25, "--eval-steps", 2, "--num-epochs", 2)
        self.assertEqual([e["step"] for e in record["evaluations"]], [2, 4, 6, 8])
        self.assertEqual(record["data"][0]["rows"], 15)
        lines = read_jsonl(self.run_folder / "metrics.jsonl")
        self.assertEqual(["eval_loss" in line for line in lines], [False, True] * 4)
        self.assertEqual(lines[-1]["eval_accuracy"], record["evaluations"][-1]["overall"])
        self.assertEqual(lines[-1]["epoch"], 2)

    def test_an_adapter_is_scored_on_its_base(self):
        self.train("--lora-rank", 2, "--num-epochs", 2)
        self.assertFalse((self.run_folder / "model.safetensors").exists())
        first = self.score(self.conversations(), "--adapter", self.run_folder, model=self.base)
        self.assertNotEqual(*[row["rewards"] for row in first])

    def test_cached_states_of_frozen_layers_change_no_bit(self):
        frozen = ("--freeze-layers", 2, "--num-epochs", 3)
        self.train(*frozen)
        weights = (self.run_folder / "model.safetensors").read_bytes()
        self.assertEqual([p.name for p in self.run_folder.glob(".frozen*")], [])
        cache = self.path("cache")
        cache.mkdir()
        (cache / ".frozen-1-0.tmp").write_bytes(b"of a process that was killed")
        for _ in ("filled", "read"):
            self.train(*frozen, "--overwrite", "--cache-dir", cache)
            self.assertEqual((self.run_folder / "model.safetensors").read_bytes(), weights)
            self.assertEqual(len(list(cache.glob("frozen-*.f32"))), 1)
            self.assertEqual(list(cache.glob("*.tmp")) + list(cache.glob(".*.tmp")), [])

    def test_rows_that_are_not_finite_are_named_or_skipped(self):
        rows = read_jsonl(self.data)
        rows[6]["chosen"][1]["content"] += " |"
        write_jsonl(self.data, rows)
        self.spoil_embedding("|")
        text = self.refuse(*self.options("--no-shuffle", "--save-steps", 1), says=["step 2: loss is not finite in rows ", "--skip-nonfinite"])
        self.assertIn("pairs.jsonl:7;", text)
        record = json.loads((self.run_folder / "run.json").read_text())
        self.assertEqual((record["status"], record["steps"]), ("failed", 1))
        self.assertIn("pairs.jsonl:7", record["error"])
        done = self.succeed(*self.options("--no-shuffle", "--save-steps", 1, "--resume", "--skip-nonfinite"))
        self.assertIn("1 steps skipped", done.stdout.decode())
        self.assertEqual(len(read_jsonl(self.run_folder / "metrics.jsonl")), 5)

    def test_wrong_input_leaves_nothing_behind(self):
        empty = write_jsonl(self.path("empty.jsonl"), [])
        single = write_jsonl(self.path("single.jsonl"), [{"prompt": "a?", "completions": ["b"]}])
        for options, says in {
            ("--learning-rate", -1): "option learning-rate: out of range, expected 0 or more, got -1",
            ("--warmup-ratio", 2): "option warmup-ratio: out of range, expected 0 to 1, got 2",
            ("--freeze-layers", 4): "option freeze-layers: expected a number from 0 to 3, got 4",
            ("--lora-rank", 2, "--lora-targets", "head"): 'no layer "head"',
            ("--eval-split", 0.01): "option eval-split: expected a share that holds out some of 20 examples, got 0.01",
            ("--eval-data", self.path("none.jsonl")): "none.jsonl: no such file",
            ("--eval-benchmark", "mine", "--eval-benchmark-data", self.data): "benchmark: unknown name",
            ("--keep-checkpoints", 0): "option keep-checkpoints: out of range, expected 1 or more, got 0",
            ("--batch-tokens", 0): "option batch-tokens: out of range, expected 1 or more, got 0",
        }.items():
            self.refuse_without_trace(*options, says=[says])
        self.refuse_without_trace(data=empty, says=["no rows"])
        self.refuse_without_trace(data=single, says=["single.jsonl:1: no comparison of completions"])
        self.refuse_without_trace(data=self.path("none.jsonl"), says=["none.jsonl: no such file"])
        self.base = self.path("nowhere")
        self.refuse_without_trace(says=["nowhere"])

    def test_what_does_not_fit_into_memory_is_refused_before_the_first_step(self):
        self.refuse_without_trace("--lora-rank", 10**9, says=[
            "training does not fit into memory: expected ", "weights ", "gradients ", "moments ", "with recompute block, writing "])

        limited = ["bash", "-c", "ulimit -v 400000; exec \"$@\"", "-", BINARY]
        done = subprocess.run([*limited, *map(str, self.options("--lora-rank", 20_000))], capture_output=True)
        self.assertEqual(done.returncode, 2, done.stderr.decode())
        self.assertIn("training does not fit into memory", done.stderr.decode())

    def test_wrong_starts_leave_a_run_as_it_was(self):
        self.train("--save-steps", 2, "--max-steps", 3)
        record = self.run_folder / "run.json"
        before = {p: p.read_bytes() for p in self.run_folder.rglob("*") if p.is_file()}
        self.refuse(*self.options("--overwrite", data=self.path("none.jsonl")), says=["no such file"])
        self.assertEqual({p: p.read_bytes() for p in self.run_folder.rglob("*") if p.is_file()}, before)
        record.write_text(record.read_text().replace('"finished"', '"stopped"'))
        self.refuse(*self.options("--resume", "--save-steps", 2, "--max-steps", 3, "--seed", 9), says=["cannot resume: seed differs"])
        self.assertEqual((self.run_folder / "run.yaml").read_bytes(), before[self.run_folder / "run.yaml"])
