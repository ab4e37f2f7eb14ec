"""Models that cannot be used: one clear sentence, exit status 2 or 3, nothing left behind."""

import json
import shutil

from support import Case, ROWS, base_model, fixed_head_model, laurel, write_jsonl


class WrongModels(Case):
    def setUp(self):
        super().setUp()
        self.rows = write_jsonl(self.path("in.jsonl"), ROWS[:1])

    def refused(self, model, *options, status=2, says=()):
        text = self.refuse("score", "--model", model, "--input", self.rows, "--output", self.path("out.jsonl"), *options,
                           status=status, says=says)
        self.assertFalse(self.path("out.jsonl").exists())
        return text

    def copy_of(self, model, *left_out):
        """A model directory of links to the files of another, to be changed in one place."""
        folder = self.path("model")
        folder.mkdir()
        for path in model.iterdir():
            if path.name not in left_out:
                (folder / path.name).symlink_to(path)
        return folder

    def changed_config(self, **changes):
        folder = self.copy_of(fixed_head_model(), "config.json")
        config = json.loads((fixed_head_model() / "config.json").read_text())
        config.update(changes)
        (folder / "config.json").write_text(json.dumps(config))
        return folder

    def test_base_model_without_a_head(self):
        self.refused(base_model(), says=["score.weight"])

    def test_missing_directory(self):
        done = laurel("score", "--model", self.path("nowhere"), "--input", self.rows, "--output", self.path("out.jsonl"))
        self.assertIn(done.returncode, (2, 3))
        self.assertIn("nowhere", done.stderr.decode())

    def test_a_name_that_is_not_in_the_cache(self):
        done = laurel("score", "--model", "org/some-model@main", "--input", self.rows, "--output", self.path("out.jsonl"),
                      env={"HF_HOME": str(self.path("hf"))})
        self.assertIn(done.returncode, (2, 3))
        self.assertIn(str(self.path("hf")), done.stderr.decode())
        self.assertIn("org/some-model", done.stderr.decode())

    def test_a_name_in_the_cache(self):
        """org/name@revision resolves refs and snapshots as the Hugging Face hub lays them out."""
        commit = "0123456789abcdef0123456789abcdef01234567"
        repository = self.path("hf") / "hub" / "models--org--tiny"
        (repository / "snapshots").mkdir(parents=True)
        (repository / "snapshots" / commit).symlink_to(fixed_head_model())
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text(commit)
        for name in ("org/tiny", "org/tiny@main", f"org/tiny@{commit}"):
            with self.subTest(name=name):
                self.succeed("score", "--model", name, "--input", self.rows, "--output", self.path("out.jsonl"),
                             env={"HF_HOME": str(self.path("hf"))})

    def test_unknown_architecture(self):
        self.refused(self.changed_config(architectures=["MambaForCausalLM"], model_type="mamba"), says=["config.json", "amba"])

    def test_wrong_shape_names_the_tensor(self):
        self.refused(self.changed_config(intermediate_size=1024), says=["mlp", "wrong shape"])

    def test_missing_tensor_is_named(self):
        self.refused(self.changed_config(num_hidden_layers=31), says=["model.layers.30."])

    def test_extra_tensor_is_named(self):
        self.refused(self.changed_config(num_hidden_layers=29), says=["model.layers.29."])

    def test_config_is_no_json(self):
        folder = self.copy_of(fixed_head_model(), "config.json")
        (folder / "config.json").write_text("{")
        self.refused(folder, says=["config.json: invalid JSON"])

    def test_no_tokenizer(self):
        folder = self.copy_of(fixed_head_model(), "tokenizer.json")
        done = laurel("score", "--model", folder, "--input", self.rows, "--output", self.path("out.jsonl"))
        self.assertIn(done.returncode, (2, 3))
        self.assertIn("tokenizer.json", done.stderr.decode())

    def test_broken_safetensors(self):
        whole = (fixed_head_model() / "model.safetensors").read_bytes()
        folder = self.copy_of(fixed_head_model(), "model.safetensors")
        for name, content in {
            "empty": b"",
            "cut header": whole[:1000],
            "cut data": whole[:1_000_000],
            "huge header": b"\xff" * 8 + whole[8:100_000],
            "no JSON": whole[:8] + b"x" + whole[9:100_000],
        }.items():
            with self.subTest(name):
                (folder / "model.safetensors").write_bytes(content)
                self.refused(folder, says=["model.safetensors"])

    def test_wrong_adapter(self):
        empty = self.path("adapter")
        empty.mkdir()
        done = laurel("score", "--model", base_model(), "--adapter", empty, "--input", self.rows, "--output", self.path("out.jsonl"))
        self.assertIn(done.returncode, (2, 3))
        self.assertIn("adapter", done.stderr.decode())
        shutil.rmtree(empty)
