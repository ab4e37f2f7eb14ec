"""Rewards: the right ones, and the same bits by every road."""

import gzip
import json
import random
import signal
import subprocess
import time

from support import (BINARY, Case, ROWS, adapter, base_model, fixed_head_model, float32_bits, laurel, read_jsonl, rewards_of,
                     shared, write_jsonl)


def by_id(rows):
    return {row["id"]: [float32_bits(r) for r in row["rewards"]] for row in rows}


class TrainedModel(Case):
    """The trained adapter against the rewards that transformers gave (float32, eager)."""

    def setUp(self):
        super().setUp()
        self.expected = read_jsonl(shared("models", "smollm2-hh-lora", "smollm2_hh_lora_rewards.jsonl.gz"))

    def assert_close(self, rows, expected):
        self.assertEqual(len(rows), len(expected))
        worst = max(abs(row["rewards"][0] - e["reward"]) for row, e in zip(rows, expected))
        self.assertLessEqual(worst, 1e-4)

    def run_with_adapter(self, rows, *options, **more):
        return self.score(rows, "--adapter", adapter(), *options, model=base_model("f32"), **more)

    def test_texts_give_the_reference_rewards(self):
        rows = self.run_with_adapter([{"id": e["id"], "text": e["text"]} for e in self.expected])
        self.assert_close(rows, self.expected)
        self.assertEqual([row["id"] for row in rows], [e["id"] for e in self.expected])

    def test_ids_give_the_bits_that_texts_give(self):
        some = self.expected[::8]
        texts = self.run_with_adapter([{"text": e["text"]} for e in some], name="texts.jsonl")
        ids = self.run_with_adapter([{"input_ids": e["input_ids"]} for e in some], name="ids.jsonl")
        self.assertEqual(rewards_of(texts), rewards_of(ids))
        self.assert_close(ids, some)

    def test_texts_give_exactly_the_reference_ids(self):
        source = write_jsonl(self.path("in.jsonl"), [{"text": e["text"]} for e in self.expected])
        self.succeed("tokenize", "--model", base_model(), "--input", source, "--output", self.path("ids.jsonl"))
        rows = read_jsonl(self.path("ids.jsonl"))
        self.assertEqual([row["input_ids"] for row in rows], [e["input_ids"] for e in self.expected])

    def test_pairs_keep_their_prompt_shared(self):
        """Conversations that share most of their text, as RewardBench's do, score as each alone."""
        some = self.expected[:12]
        together = self.run_with_adapter([{"text": e["text"]} for e in some], name="together.jsonl")
        alone = [self.run_with_adapter([{"text": e["text"]}], name=f"{i}.jsonl")[0] for i, e in enumerate(some[:4])]
        self.assertEqual(rewards_of(together)[:4], rewards_of(alone))


class SameBits(Case):
    """A reward is a function of weights and tokens: no option of speed or order changes a bit."""

    @classmethod
    def setUpClass(cls):
        cls.rows = [{**row, "id": row.get("id", f"row{i}")} for i, row in enumerate(ROWS)]
        prompt = "Explain in one sentence why the sky is blue, please."
        cls.rows.append({"id": "shared", "prompt": prompt, "completions": ["Because.", "Air scatters blue light.", "Air " * 40]})
        cls.rows.append({"id": "shared2", "prompt": prompt, "completions": ["Because of dust.", "Air scatters red light."]})

    def reference(self):
        return by_id(self.score(self.rows, name="reference.jsonl"))

    def test_batch_tokens(self):
        expected = self.reference()
        for tokens in (64, 512, 4096):
            with self.subTest(batch_tokens=tokens):
                self.assertEqual(by_id(self.score(self.rows, "--batch-tokens", tokens)), expected)

    def test_order(self):
        expected = self.reference()
        for seed in (1, 2):
            rows = list(self.rows)
            random.Random(seed).shuffle(rows)
            with self.subTest(seed=seed):
                self.assertEqual(by_id(self.score(rows)), expected)

    def test_threads(self):
        expected = self.reference()
        for threads in (1, 2, 3):
            with self.subTest(threads=threads):
                self.assertEqual(by_id(self.score(self.rows, "--threads", threads)), expected)

    def test_sharing(self):
        self.assertEqual(by_id(self.score(self.rows, "--no-prefix-sharing")), self.reference())

    def test_every_instruction_set(self):
        """Other instruction sets may round otherwise, but only just; and each keeps to its own bits."""
        few = self.rows[:4]  # the slowest of them takes its time
        expected = self.score(few, name="reference.jsonl")
        isas = json.loads(self.succeed("info", "--json").stdout)["available_isas"]
        self.assertTrue(isas)
        for isa in isas:
            with self.subTest(isa=isa):
                rows = self.score(few, env={"LAUREL_ISA": isa})
                again = self.score(few, "--batch-tokens", 64, "--threads", 1, env={"LAUREL_ISA": isa})
                self.assertEqual(rewards_of(rows), rewards_of(again))
                for row, e in zip(rows, expected):
                    for a, b in zip(row["rewards"], e["rewards"]):
                        self.assertAlmostEqual(a, b, delta=1e-4)

    def test_unknown_instruction_set(self):
        source = write_jsonl(self.path("in.jsonl"), ROWS)
        self.refuse("score", "--model", fixed_head_model(), "--input", source, "--output", self.path("out.jsonl"),
                    says=["instruction set", "abacus"], env={"LAUREL_ISA": "abacus"})


class InputAndOutput(Case):
    def test_every_form_of_row(self):
        rows = self.score(ROWS)
        self.assertEqual([len(row["rewards"]) for row in rows], [1, 3, 1, 2, 2, 1, 1, 1])
        self.assertEqual([row.get("id") for row in rows], [row.get("id") for row in ROWS])
        self.assertEqual([row["index"] for row in rows], list(range(len(ROWS))))

    def test_the_same_conversation_in_every_form(self):
        user, answer = {"role": "user", "content": "Say hello."}, {"role": "assistant", "content": "Hello there!"}
        rows = self.score([
            {"messages": [user, answer]},
            {"prompt": "Say hello.", "completions": ["Hello there!"]},
            {"prompt": "Say hello.", "response": "Hello there!"},
            {"prompt": [user], "response": "Hello there!"},
            {"chosen": [user, answer], "rejected": [user, answer]},
        ])
        rewards = {reward for row in rewards_of(rows) for reward in row}
        self.assertEqual(len(rewards), 1)

    def test_compressed_and_standard_input(self):
        expected = rewards_of(self.score(ROWS, name="plain.jsonl"))
        plain = self.path("in.jsonl")
        compressed = self.path("in.jsonl.gz")
        compressed.write_bytes(gzip.compress(plain.read_bytes()))
        self.assertEqual(rewards_of(self.score(compressed)), expected)
        subprocess.run(["zstd", "-q", plain], check=True)
        self.assertEqual(rewards_of(self.score(self.path("in.jsonl.zst"))), expected)
        self.succeed("score", "--model", fixed_head_model(), "--input", "-", "--output", self.path("stdin.jsonl"),
                     stdin=plain.read_bytes())
        self.assertEqual(rewards_of(read_jsonl(self.path("stdin.jsonl"))), expected)

    def test_interrupted_it_leaves_nothing(self):
        with subprocess.Popen([BINARY, "score", "--model", fixed_head_model(), "--input", "-", "--output", self.path("out.jsonl")],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            process.stdin.write(json.dumps(ROWS[0]).encode() + b"\n")
            process.stdin.flush()
            deadline = time.monotonic() + 60
            while not self.left_in_folder() and time.monotonic() < deadline:
                time.sleep(0.01)
            self.assertEqual(len(self.left_in_folder()), 1)
            process.send_signal(signal.SIGINT)
            process.wait(60)
        self.assertEqual(process.returncode, -signal.SIGINT)
        self.assertEqual(self.left_in_folder(), [])

    def test_a_cut_off_gzip_is_an_error(self):
        plain = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
        self.path("cut.jsonl.gz").write_bytes(gzip.compress(plain)[:-40])
        done = laurel("score", "--model", fixed_head_model(), "--input", self.path("cut.jsonl.gz"), "--output",
                      self.path("out.jsonl"))
        self.assertIn(done.returncode, (2, 3))
        self.assertIn("cut.jsonl.gz", done.stderr.decode())
        self.assertEqual(self.left_in_folder("cut.jsonl.gz"), [])

    def test_manifest_states_the_rule(self):
        self.score(ROWS)
        manifest = json.loads(self.path("out.jsonl.manifest.json").read_text())
        self.assertRegex(manifest["laurel"], r"^\d+\.\d+\.\d+$")
        self.assertRegex(manifest["model"]["hash"], r"^[0-9a-f]{32}$")
        self.assertEqual(manifest["rule"]["name"], "transformers")
        self.assertEqual(manifest["rule"]["template_source"], "chat_template.jinja")
        self.assertEqual(manifest["options"]["batch-tokens"], "4096")
        self.assertEqual(self.left_in_folder("in.jsonl"), ["out.jsonl", "out.jsonl.manifest.json"])

    def test_empty_input(self):
        self.assertEqual(self.score([]), [])

    def test_truncation(self):
        row = {"text": "word " * 300}
        source = write_jsonl(self.path("in.jsonl"), [row])
        self.refuse("score", "--model", fixed_head_model(), "--input", source, "--output", self.path("out.jsonl"),
                    "--max-length", 50, "--truncation", "error", says=["in.jsonl:1"])
        right = self.score([row], "--max-length", 50, "--truncation", "right")
        left = self.score([row], "--max-length", 50, "--truncation", "left")
        self.assertNotEqual(rewards_of(right), rewards_of(self.score([row])))
        for rows in (right, left):
            self.assertIn("50", json.dumps(rows[0]))
            self.assertIn("true", json.dumps(rows[0]))  # the flag

    def test_rules_differ_and_say_so(self):
        self.score(ROWS, "--rule", "reward-bench")
        manifest = self.path("out.jsonl.manifest.json").read_text()
        self.assertIn("reward-bench", manifest)
        self.assertIn("2048", manifest)


class BadRows(Case):
    BAD = ['{"messages": [', '{"messages": []}', '{"nothing": 1}', '{"text": 3}', '{"input_ids": [-1]}', '{"input_ids": [99999999]}',
           '{"text": "a\\ud800"}', "[1, 2]", '{"prompt": "x"}', '{"messages": [{"role": "user"}]}']

    def input_with(self, bad):
        good = [json.dumps(row) for row in ROWS[:3]]
        path = self.path("in.jsonl")
        path.write_text("\n".join(good[:2] + [bad] + good[2:]) + "\n")
        return path

    def test_stops_naming_file_and_line_and_leaves_nothing(self):
        for bad in self.BAD:
            with self.subTest(row=bad):
                self.refuse("score", "--model", fixed_head_model(), "--input", self.input_with(bad), "--output",
                            self.path("out.jsonl"), says=["in.jsonl:3"])
                self.assertEqual(self.left_in_folder("in.jsonl"), [])

    def test_skips_when_asked(self):
        path = self.path("in.jsonl")
        good = [json.dumps(row) for row in ROWS]
        path.write_text("\n".join(good[:2] + self.BAD[:3] + good[2:]) + "\n")
        expected = rewards_of(self.score(write_jsonl(self.path("good.jsonl"), ROWS), name="good_out.jsonl"))
        done = self.succeed("score", "--model", fixed_head_model(), "--input", path, "--output", self.path("out.jsonl"),
                            "--skip-bad-rows")
        rows = [row for row in read_jsonl(self.path("out.jsonl")) if "rewards" in row]
        self.assertEqual(rewards_of(rows), expected)
        told = done.stderr.decode() + done.stdout.decode() + self.path("out.jsonl.manifest.json").read_text()
        for line in (3, 4, 5):
            self.assertIn(f"in.jsonl:{line}", told)

    def test_a_full_disk_is_said(self):
        source = write_jsonl(self.path("in.jsonl"), ROWS[:1])
        self.refuse("score", "--model", fixed_head_model(), "--input", source, "--output", "/dev/full", status=3,
                    says=["/dev/full", "No space left on device"])
