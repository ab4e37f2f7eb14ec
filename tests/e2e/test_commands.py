"""What the commands say: help, info, tokenize, explain, wrong options."""

import json

from support import Case, ROWS, adapter, base_model, fixed_head_model, read_jsonl, shared, write_jsonl

COMMANDS = ["info", "bench", "score", "eval", "tokenize", "explain", "convert", "mini"]


class Help(Case):
    def test_lists_every_command_with_an_example(self):
        text = self.succeed("--help").stdout.decode()
        for command in COMMANDS:
            self.assertIn(f"laurel {command}", text)

    def test_each_command_has_its_own(self):
        for command in COMMANDS:
            with self.subTest(command=command):
                text = self.succeed(command, "--help").stdout.decode()
                self.assertIn("--help", text)
                self.assertIn(f"laurel {command} --", text)

    def test_version(self):
        self.assertRegex(self.succeed("--version").stdout.decode(), r"\d+\.\d+\.\d+")

    def test_no_command_shows_the_way(self):
        self.assertIn("laurel COMMAND --help", self.succeed().stdout.decode())


class WrongOptions(Case):
    def test_unknown_option_gets_a_hint(self):
        self.refuse("score", "--model", "m", "--input", "i", "--output", "o", "--batch-token", "9",
                    says=["--batch-token", "did you mean --batch-tokens"])

    def test_unknown_command_gets_a_hint(self):
        self.refuse("scroe", says=["scroe", "score"])

    def test_a_required_option_is_named(self):
        self.refuse("score", "--model", "x", says=["--input"])

    def test_values_are_checked(self):
        source = write_jsonl(self.path("in.jsonl"), ROWS[:1])
        common = ["score", "--model", fixed_head_model(), "--input", source, "--output", self.path("out.jsonl")]
        for option, value in (("--threads", "-1"), ("--threads", "many"), ("--batch-tokens", "0"), ("--dtype", "f8"),
                              ("--truncation", "middle"), ("--rule", "mine"), ("--max-length", "-5")):
            with self.subTest(option=option, value=value):
                self.refuse(*common, option, value, says=[option.lstrip("-")])
                self.assertEqual(self.left_in_folder("in.jsonl"), [])

    def test_input_that_is_not_there(self):
        self.refuse("score", "--model", fixed_head_model(), "--input", self.path("none.jsonl"), "--output",
                    self.path("out.jsonl"), status=3, says=["none.jsonl"])

    def test_output_folder_that_is_not_there(self):
        source = write_jsonl(self.path("in.jsonl"), ROWS[:1])
        self.refuse("score", "--model", fixed_head_model(), "--input", source, "--output", self.path("no/out.jsonl"), status=3,
                    says=["no/out.jsonl"])


class Info(Case):
    def test_states_shape_memory_and_rule(self):
        text = self.succeed("info", "--model", fixed_head_model()).stdout.decode().lower()
        for words in ("llama", "576", "30", "memory", "rule"):
            self.assertIn(words, text)
        self.assertRegex(text, r"134[.,]5")  # parameters, in millions or grouped by three

    def test_with_adapter(self):
        self.succeed("info", "--model", base_model(), "--adapter", adapter())


class Tokenize(Case):
    def test_needs_only_the_tokenizer_files(self):
        folder = self.path("tokenizer_only")
        folder.mkdir()
        for path in base_model().iterdir():
            if path.name not in ("model.safetensors", "config.json"):
                (folder / path.name).symlink_to(path)
        source = write_jsonl(self.path("in.jsonl"), ROWS)
        for model, name in ((folder, "a.jsonl"), (base_model(), "b.jsonl")):
            self.succeed("tokenize", "--model", model, "--input", source, "--output", self.path(name))
        self.assertEqual(self.path("a.jsonl").read_bytes(), self.path("b.jsonl").read_bytes())

    def test_the_llama_3_tokenizer_adds_bos_unless_told_not_to(self):
        import gzip
        import shutil
        source = shared("tokenizers", "llama3")
        folder = self.path("llama3")
        folder.mkdir()
        (folder / "tokenizer.json").write_bytes(gzip.decompress((source / "tokenizer.json.gz").read_bytes()))
        shutil.copy(source / "tokenizer_config.json", folder)
        rows = write_jsonl(self.path("in.jsonl"), [{"text": "Hello world"}])
        for options, expected in (([], [128000, 9906, 1917]), (["--no-special-tokens"], [9906, 1917])):
            self.succeed("tokenize", "--model", folder, "--input", rows, "--output", self.path("out.jsonl"), *options)
            self.assertEqual(read_jsonl(self.path("out.jsonl"))[0]["input_ids"], expected)


class Explain(Case):
    def test_shows_text_tokens_and_the_scored_position(self):
        source = write_jsonl(self.path("row.json"), ROWS[:1])
        text = self.succeed("explain", "--model", fixed_head_model(), "--input", source).stdout.decode()
        for words in ("<|im_start|>", "Name a color.", "Blue.", "198"):
            self.assertIn(words, text)
        self.assertRegex(text.lower(), r"scored|reward is read")
