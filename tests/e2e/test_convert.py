"""GGUF to a Hugging Face directory."""

import json
import pathlib
import struct

from support import ROWS, Case, adapter, base_model, fixed_head_model, gguf, rewards_of, write_jsonl


def safetensors_header(path):
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(size))


class Convert(Case):
    def test_gives_an_ordinary_directory(self):
        names = {p.name for p in base_model().iterdir()}
        self.assertLessEqual({"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}, names)
        config = json.loads((base_model() / "config.json").read_text())
        self.assertEqual(config["architectures"], ["LlamaForCausalLM"])
        self.assertEqual((config["hidden_size"], config["num_hidden_layers"]), (576, 30))
        self.assertEqual((config["num_attention_heads"], config["num_key_value_heads"]), (9, 3))

    def test_dtype_is_kept(self):
        for dtype, name in (("bf16", "BF16"), ("f32", "F32")):
            header = safetensors_header(base_model(dtype) / "model.safetensors")
            header.pop("__metadata__", None)
            self.assertEqual({entry["dtype"] for entry in header.values()}, {name})
            self.assertEqual(header["model.layers.3.mlp.up_proj.weight"]["shape"], [1536, 576])

    def test_refuses_to_overwrite(self):
        self.refuse("convert", "--from", gguf(), "--to", base_model(), says=["already exists"])

    def test_refuses_what_is_no_gguf(self):
        wrong = self.path("wrong.gguf")
        wrong.write_bytes(b"GGML" + bytes(100))
        self.refuse("convert", "--from", wrong, "--to", self.path("out"), says=["wrong.gguf"])
        self.assertEqual(self.left_in_folder("wrong.gguf"), [])

    def test_refuses_a_file_that_was_cut_off(self):
        cut = self.path("cut.gguf")
        with open(gguf(), "rb") as file:
            cut.write_bytes(file.read(20_000_000))
        self.refuse("convert", "--from", cut, "--to", self.path("out"), says=["cut.gguf"])
        self.assertEqual(self.left_in_folder("cut.gguf"), [])

    def test_int8_pack_scores_as_quantizing_at_load(self):
        pack = self.path("pack")
        done = self.succeed("convert", "--from", fixed_head_model(), "--to", pack, "--dtype", "int8")
        self.assertIn("of 210 linear layers stay in float", done.stdout.decode())
        header = safetensors_header(pack / "model.safetensors")
        self.assertEqual(header["model.layers.3.mlp.up_proj.int8_weight"]["shape"], [96, 144, 16, 4])
        self.assertEqual(rewards_of(self.score(ROWS, model=pack)), rewards_of(self.score(ROWS, "--dtype", "int8")))
        self.assertIn("int8", self.succeed("info", "--model", pack).stdout.decode())
        self.refuse("score", "--model", pack, "--input", self.path("in.jsonl"), "--output", "-", "--dtype", "f32",
                    says=["is an int8 pack, expected int8, got f32"])
        self.refuse("train", "--model", pack, "--data", self.path("in.jsonl"), "--output-dir", self.path("run"),
                    says=["an int8 pack cannot be trained"])
        self.refuse("convert", "--from", pack, "--to", self.path("again"), "--dtype", "int8", says=["is an int8 pack already"])
        compact = self.path("compact")
        self.succeed("convert", "--from", fixed_head_model(), "--to", compact, "--dtype", "int8", "--compact")
        sizes = [(folder / "model.safetensors").stat().st_size for folder in (pack, compact)]
        self.assertLess(sizes[1] + 90_000_000, sizes[0])
        self.assertEqual(len(rewards_of(self.score(ROWS, model=compact))), len(rewards_of(self.score(ROWS))))
        self.refuse("convert", "--from", gguf(), "--to", self.path("again"), "--compact", says=["for --dtype int8 only"])
        self.refuse("convert", "--from", gguf(), "--to", self.path("again"), "--dtype", "int8", says=["takes a reward model"])

    def test_blocks_give_the_rewards_of_floats(self):
        blocks = fixed_head_model("blocks")
        header = safetensors_header(blocks / "model.safetensors")
        self.assertEqual(header["model.layers.3.mlp.up_proj.weight"]["dtype"], "Q4_1")
        self.assertEqual(header["model.layers.3.mlp.up_proj.weight"]["shape"], [1536, 576])
        want = rewards_of(self.score(ROWS, model=fixed_head_model("f32")))
        self.assertEqual(rewards_of(self.score(ROWS, model=blocks)), want)
        self.assertEqual(rewards_of(self.score(ROWS, "--stream-weights", model=blocks)), want)
        self.assertIn("Q4_1", self.succeed("info", "--model", blocks).stdout.decode())
        pair = {"chosen": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
                "rejected": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "c"}]}
        data = write_jsonl(self.path("pairs.jsonl"), [pair])
        text = self.refuse("train", "--model", blocks, "--data", data, "--output-dir", self.path("run"),
                           says=["weights in blocks of", "cannot be trained"])
        self.assertEqual(text.count("\n"), 1, text)  # before data are read and memory is planned

    def test_an_adapter_stays_beside_blocks(self):
        options = ("--adapter", adapter())
        exact = self.score(ROWS, *options, model=base_model("f32"))
        for got, want in zip(self.score(ROWS, *options, model=base_model("blocks")), exact):
            for a, b in zip(got["rewards"], want["rewards"]):
                self.assertAlmostEqual(a, b, delta=1e-3)

    def test_missing_file(self):
        self.refuse("convert", "--from", self.path("none.gguf"), "--to", self.path("out"), status=3, says=["none.gguf"])

    def test_fixed_head_is_the_same_everywhere(self):
        path = fixed_head_model() / "model.safetensors"
        header = safetensors_header(path)
        begin, end = header["score.weight"]["data_offsets"]
        with open(path, "rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            file.seek(8 + size + begin)
            head = file.read(end - begin)
        self.assertEqual(len(head), 576 * 2)
        golden = pathlib.Path(__file__).parent / "fixed_head_start.hex"
        self.assertEqual(head[:16].hex(), golden.read_text().strip())
