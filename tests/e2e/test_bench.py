"""laurel bench: the shape of what it says. Figures are the machine's and not judged."""

import json

import tiny
from support import Case, write_jsonl


class Bench(Case):
    def setUp(self):
        super().setUp()
        self.base = tiny.make_base(self.path("base"))

    def test_a_breakdown_adds_up(self):
        report = json.loads(self.succeed("bench", "--model", self.base, "--rows", "12", "--pairs", "4", "--json").stdout)
        machine = report["machine"]
        self.assertGreater(machine["peak_gflops"], 0)
        self.assertGreater(machine["memory_gb_per_second"], 0)
        for name, product in (("scoring", "linear 32 → "), ("training", "linear dw ")):
            with self.subTest(name):
                part = report[name]
                total = part["rest_seconds"] + sum(op["seconds"] for op in part["ops"])
                self.assertAlmostEqual(total, part["seconds"], places=6)
                self.assertTrue(any(op["op"].startswith(product) for op in part["ops"]))
                self.assertLessEqual(part["physical_tokens"], part["sequence_tokens"])
        self.assertEqual(report["training"]["recompute"], "none")
        self.assertEqual(report["scoring"]["compute"], "f32")

    def test_rows_of_ones_own_and_a_table(self):
        rows = write_jsonl(self.path("in.jsonl"), [{"prompt": "1 + 1?", "completions": ["it is 2.", "maybe 4"]}] * 3)
        text = self.succeed("bench", "--model", self.base, "--input", rows, "--rows", "2", "--pairs", "0").stdout.decode()
        for word in ("machine", "GFLOP/s", "scoring   f32: ", "forest_attention", "limit"):
            self.assertIn(word, text)
        self.assertNotIn("training", text)

    def test_refusals(self):
        empty = write_jsonl(self.path("empty.jsonl"), [])
        self.refuse("bench", "--model", self.base, "--input", empty, says=["empty.jsonl", "expected rows"])
        self.refuse("bench", says=["--model"])
        self.refuse("bench", "--model", self.path("nothing"), says=["nothing"])
