"""Streamed weights: the bits of resident ones, models larger than memory, and files that change underfoot."""

import json
import os
import struct
import subprocess

import tiny
from support import BINARY, Case, ROWS, adapter, base_model, fixed_head_model, rewards_of, write_jsonl

LAYERS = 3
HIDDEN = 4096
HUGE_VOCABULARY = 1 << 24  # as float32: a table of 275 GB


def make_huge_model(folder):
    """A checkpoint far larger than any test machine's memory, of holes: it takes no space on the disk."""
    tiny.make_base(folder)
    config = json.loads((folder / "config.json").read_text())
    config.update(vocab_size=HUGE_VOCABULARY, hidden_size=HIDDEN, intermediate_size=16, num_attention_heads=2,
                  num_key_value_heads=1, head_dim=8, num_hidden_layers=LAYERS)
    (folder / "config.json").write_text(json.dumps(config))
    shapes = {"model.embed_tokens.weight": [HUGE_VOCABULARY, HIDDEN]}
    for i in range(LAYERS):
        shapes |= {f"model.layers.{i}.{name}.weight": shape for name, shape in {
            "input_layernorm": [HIDDEN], "post_attention_layernorm": [HIDDEN], "self_attn.q_proj": [16, HIDDEN],
            "self_attn.k_proj": [8, HIDDEN], "self_attn.v_proj": [8, HIDDEN], "self_attn.o_proj": [HIDDEN, 16],
            "mlp.gate_proj": [16, HIDDEN], "mlp.up_proj": [16, HIDDEN], "mlp.down_proj": [HIDDEN, 16]}.items()}
    shapes |= {"model.norm.weight": [HIDDEN], "score.weight": [1, HIDDEN]}
    header, end = {}, 0
    for name, shape in shapes.items():
        begin, end = end, end + 4 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)
    return folder


class SameBits(Case):
    def assert_streaming_changes_nothing(self, model, *options):
        expected = rewards_of(self.score(ROWS, "--no-stream-weights", *options, model=model, name="resident.jsonl"))
        for more in ([], ["--batch-tokens", 64], ["--threads", 1], ["--threads", 3, "--batch-tokens", 200]):
            with self.subTest(options=more):
                rows = self.score(ROWS, "--stream-weights", *options, *more, model=model)
                self.assertEqual(rewards_of(rows), expected)

    def test_as_stored(self):
        self.assert_streaming_changes_nothing(fixed_head_model())

    def test_rounded(self):
        self.assert_streaming_changes_nothing(fixed_head_model(), "--dtype", "bf16")

    def test_with_an_adapter(self):
        self.assert_streaming_changes_nothing(base_model("f32"), "--adapter", adapter())


class Streaming(Case):
    def setUp(self):
        super().setUp()
        self.rows = write_jsonl(self.path("in.jsonl"), [{"text": "hello there"}, {"prompt": "1 + 1?", "completions": ["2", "3."]}])

    def test_summary_and_manifest_tell(self):
        command = ["score", "--model", fixed_head_model(), "--input", self.rows, "--output", self.path("out.jsonl")]
        done = self.succeed(*command, "--stream-weights")
        self.assertIn("weights streamed", done.stderr.decode())
        self.assertNotIn("do not fit", done.stderr.decode())
        manifest = json.loads(self.path("out.jsonl.manifest.json").read_text())
        self.assertGreater(manifest["streaming"]["read_bytes"], 0)
        self.assertIs(manifest["options"]["stream-weights"], True)
        streamed = manifest["model"]["hash"]
        self.assertNotIn("stream", self.succeed(*command).stderr.decode())
        manifest = json.loads(self.path("out.jsonl.manifest.json").read_text())
        self.assertNotIn("streaming", manifest)
        self.assertEqual(manifest["model"]["hash"], streamed)

    def test_either_or(self):
        self.refuse("score", "--model", fixed_head_model(), "--input", self.rows, "--output", self.path("out.jsonl"),
                    "--stream-weights", "--no-stream-weights", says=["stream-weights"])

    def test_eval(self):
        benchmark = tiny.write_benchmark(self.path("benchmark.jsonl"))
        model = tiny.make_base(self.path("model"))
        scores = []
        for option in ("--stream-weights", "--no-stream-weights"):
            self.succeed("eval", "--model", model, "--benchmark", "reward-bench-2", "--data", benchmark, "--output",
                         self.path(option), option)
            scores.append((self.path(option) / "scores.jsonl").read_bytes())
        self.assertEqual(*scores)

    def test_a_model_larger_than_memory(self):
        model = make_huge_model(self.path("model"))
        done = self.succeed("score", "--model", model, "--input", self.rows, "--output", self.path("out.jsonl"))
        self.assertRegex(done.stderr.decode(),
                         r"the weights \(274\.\d GB\) do not fit into [\d.]+ .B of memory: streaming them layer by layer\n")
        manifest = json.loads(self.path("out.jsonl.manifest.json").read_text())
        self.assertLess(manifest["peak_memory_bytes"], 1e9)
        self.assertRegex(manifest["model"]["hash"], r"^sampled-[0-9a-f]{32}$")
        facts = json.loads(self.succeed("info", "--json", "--model", model).stdout)["model"]
        self.assertGreater(facts["weight_bytes"], 4 * HUGE_VOCABULARY * HIDDEN)

    def test_a_file_that_is_cut_off_while_in_use(self):
        model = make_huge_model(self.path("model"))
        with subprocess.Popen([BINARY, "score", "--model", model, "--input", "-", "--output", self.path("out.jsonl")],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            first, second = self.rows.read_bytes().splitlines(keepends=True)
            process.stdin.write(first)
            process.stdin.flush()
            line = process.stderr.readline().decode()  # loaded, and waiting for more rows
            self.assertIn("do not fit", line)
            size = (model / "model.safetensors").stat().st_size
            os.truncate(model / "model.safetensors", size - 1_000_000)
            _, errors = process.communicate(second, timeout=100)
        self.assertEqual(process.returncode, 3, errors.decode())
        self.assertIn("model.safetensors: cut off while in use", errors.decode())
        self.assertFalse(self.path("out.jsonl").exists())
