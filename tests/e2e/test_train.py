"""laurel train from the outside: a tiny model learns, dies, goes on, and is read by others."""

import array
import json
import random
import shutil
import signal
import struct
import subprocess
import time

from support import BINARY, Case, WORK, base_model, fresh, read_jsonl, write_jsonl

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")
HIDDEN, INTERMEDIATE, KEYS = 32, 48, 16


def tiny_model():
    """Two random layers behind the base's tokenizer."""
    folder = WORK / "tiny"
    if fresh(folder.name):
        return folder
    source = base_model()
    folder.mkdir(parents=True)
    for name in TOKENIZER_FILES:
        if (source / name).exists():
            shutil.copy(source / name, folder)
    config = json.loads((source / "config.json").read_text())
    config.update(hidden_size=HIDDEN, intermediate_size=INTERMEDIATE, num_hidden_layers=2, num_attention_heads=4,
                  num_key_value_heads=2, head_dim=8)
    shapes = {"model.embed_tokens.weight": (config["vocab_size"], HIDDEN), "model.norm.weight": (HIDDEN,)}
    for layer in range(2):
        block = {"input_layernorm": (HIDDEN,), "post_attention_layernorm": (HIDDEN,), "self_attn.q_proj": (HIDDEN, HIDDEN),
                 "self_attn.k_proj": (KEYS, HIDDEN), "self_attn.v_proj": (KEYS, HIDDEN), "self_attn.o_proj": (HIDDEN, HIDDEN),
                 "mlp.gate_proj": (INTERMEDIATE, HIDDEN), "mlp.up_proj": (INTERMEDIATE, HIDDEN),
                 "mlp.down_proj": (HIDDEN, INTERMEDIATE)}
        shapes.update({f"model.layers.{layer}.{name}.weight": shape for name, shape in block.items()})
    numbers, header, data = random.Random(1), {}, b""
    for name, shape in shapes.items():
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        values = array.array("f", [1.0] * count if "norm" in name else [numbers.gauss(0, 0.1) for _ in range(count)])
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + 4 * count]}
        data += values.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def pairs(count):
    numbers = random.Random(2)
    return [{"prompt": f"Is {numbers.randrange(1000)} even?", "chosen": f"Yes, {i}.", "rejected": f"No, {i}!"} for i in range(count)]


class Training(Case):
    def setUp(self):
        super().setUp()
        self.data = write_jsonl(self.path("pairs.jsonl"), pairs(90))

    def options(self, name, *more):
        return ("train", "--model", tiny_model(), "--data", self.data, "--output-dir", self.path(name), "--train-batch-size", 4,
                "--learning-rate", "1e-3", *more)

    def train(self, name, *more):
        self.succeed(*self.options(name, *more))
        return self.path(name)

    def weights(self, name):
        return (self.path(name) / "model.safetensors").read_bytes()

    def test_a_pair_is_learned_and_the_result_scores(self):
        run = self.train("run", "--num-epochs", 2, "--eval-split", 0.1, "--eval-steps", 10)
        lines = read_jsonl(run / "metrics.jsonl")
        self.assertEqual([line["step"] for line in lines], list(range(1, len(lines) + 1)))
        self.assertAlmostEqual(lines[0]["loss"], 0.693, delta=0.2)
        self.assertEqual(lines[-1]["eval_accuracy"], 1.0)
        record = json.loads((run / "run.json").read_text())
        self.assertEqual((record["status"], record["steps"]), ("finished", len(lines)))
        rows = self.score(pairs(5), model=run)
        self.assertTrue(all(row["rewards"][0] > row["rewards"][1] for row in rows))
        config = json.loads((run / "config.json").read_text())
        self.assertEqual((config["architectures"], config["num_labels"]), (["LlamaForSequenceClassification"], 1))
        self.assertNotEqual(config["pad_token_id"], config["eos_token_id"])
        self.assertEqual(config["vocab_size"] % 8, 0)
        self.assertTrue((run / "report.html").exists())

    def test_killed_at_any_instant_it_ends_with_the_same_bits(self):
        started = time.monotonic()
        self.train("whole", "--save-steps", 2, "--num-epochs", 2)
        longest = time.monotonic() - started
        numbers, kills = random.Random(3), 0
        command = [BINARY, *map(str, self.options("killed", "--save-steps", 2, "--num-epochs", 2, "--resume"))]
        for _ in range(60):
            process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            try:
                process.wait(numbers.uniform(0.1, 1.0) * longest if kills < 12 else 600)
                break
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                kills += 1
        self.assertEqual(process.returncode, 0)
        self.assertGreater(kills, 0)
        self.assertEqual(self.weights("killed"), self.weights("whole"))
        steps = [line["step"] for line in read_jsonl(self.path("killed") / "metrics.jsonl")]
        self.assertEqual(steps, list(range(1, len(steps) + 1)))
        self.assertEqual([p.name for p in self.path("killed").rglob("*.tmp")], [])

    def test_a_signal_finishes_the_step_and_says_how_to_go_on(self):
        self.train("whole", "--num-epochs", 40)
        command = [BINARY, *map(str, self.options("stopped", "--num-epochs", 40))]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        while not (self.path("stopped") / "metrics.jsonl").exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=600)
        self.assertEqual(process.returncode, 128 + signal.SIGTERM)
        self.assertIn("--resume", errors.decode())
        self.assertEqual(json.loads((self.path("stopped") / "run.json").read_text())["status"], "stopped")
        self.succeed("train", "--config", self.path("stopped") / "run.yaml", "--resume")
        self.assertEqual(self.weights("stopped"), self.weights("whole"))

    def test_threads_do_not_change_a_bit(self):
        self.train("one", "--threads", 1)
        self.train("two", "--threads", 2)
        self.assertEqual(self.weights("one"), self.weights("two"))

    def test_an_adapter_and_the_merged_model_score_the_same(self):
        lora = ("--lora-rank", 2, "--freeze-layers", 1, "--num-epochs", 2)
        adapter = self.train("adapter", *lora)
        merged = self.train("merged", *lora, "--merge-lora", "--max-shard-size", "1MB")
        self.assertTrue((merged / "model.safetensors.index.json").exists())
        first = self.score(pairs(6), "--adapter", adapter, model=tiny_model(), name="a.jsonl")
        second = self.score(pairs(6), model=merged, name="b.jsonl")
        self.assertEqual(first, self.score(pairs(6), model=adapter, name="c.jsonl"))  # it names its base
        for a, b in zip(first, second):
            for x, y in zip(a["rewards"], b["rewards"]):
                self.assertAlmostEqual(x, y, delta=1e-4)

    def test_the_command_line_wins_over_the_file(self):
        config = self.path("run.yaml")
        config.write_text(f"model: {tiny_model()}\ndata: [{self.data}]\nmax-steps: 2\nno-shuffle: true\nseed: 7\n")
        self.succeed("train", "--config", config, "--output-dir", self.path("run"), "--max-steps", 3)
        self.assertEqual(len(read_jsonl(self.path("run") / "metrics.jsonl")), 3)
        options = json.loads((self.path("run") / "run.json").read_text())["options"]
        self.assertEqual((options["seed"], options["no-shuffle"], options["max-steps"]), (7, True, 3))
        config.write_text("learning_rate: 1\n")
        self.refuse("train", "--config", config, says=["unknown key learning_rate; did you mean learning-rate?"])

    def test_refusals(self):
        self.train("run", "--max-steps", 2, "--save-steps", 1)
        self.refuse(*self.options("run"), says=["holds a run already", "--resume", "--overwrite"])
        record = self.path("run") / "run.json"
        record.write_text(record.read_text().replace('"finished"', '"stopped"'))
        self.refuse(*self.options("run", "--resume", "--max-steps", 2, "--seed", 5),
                    says=["cannot resume: seed differs from the run's, expected 1, got 5"])
        self.refuse("train", "--model", tiny_model(), "--output-dir", self.path("new"), says=["option data: missing"])
        self.refuse(*self.options("none", "--max-length", 3), says=["no example is left"])

    def test_a_full_disk_leaves_the_last_checkpoint(self):
        self.train("whole", "--save-steps", 3)
        tensors = next(self.path("whole").glob("checkpoints/*/state.safetensors")).stat().st_size
        limited = ["bash", "-c", f"trap '' XFSZ; ulimit -f {tensors // 1024 // 2}; exec \"$@\"", "-", BINARY]
        done = subprocess.run([*limited, *map(str, self.options("run", "--save-steps", 3))], capture_output=True)
        self.assertEqual(done.returncode, 3, done.stderr.decode())
        self.assertEqual(json.loads((self.path("run") / "run.json").read_text())["status"], "failed")
        self.train("run", "--save-steps", 3, "--resume")
        self.assertEqual(self.weights("run"), self.weights("whole"))
        self.assertFalse(list(self.path("run").rglob("*.tmp")))
