"""Benchmarks: from a data file to figures and a report."""

import html.parser
import json
import math

from support import ROOT, Case, adapter, base_model, fixed_head_model, read_jsonl, shared, with_parquet, write_jsonl

SUBSETS = ["Factuality", "Focus", "Math", "Precise IF", "Safety", "Ties"]


class Tags(html.parser.HTMLParser):
    """Whether tags nest, and where they point."""

    VOID = {"meta", "link", "br", "hr", "img", "input", "col", "wbr"}

    def __init__(self):
        super().__init__()
        self.open, self.links, self.problems = [], [], []

    def handle_starttag(self, tag, attributes):
        self.links += [value for name, value in attributes if name in ("src", "href", "xlink:href") and value]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.links += [value for name, value in attributes if name in ("src", "href", "xlink:href") and value]

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(tag)


def figures(value):
    """All numbers in nested JSON, by the last key on their way."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, (int, float)) and not isinstance(inner, bool):
                yield key, inner
            else:
                yield from figures(inner)


class Eval(Case):
    def check_report(self, folder):
        text = (folder / "report.html").read_text()
        tags = Tags()
        tags.feed(text)
        self.assertEqual(tags.problems, [])
        self.assertEqual([link for link in tags.links if not link.startswith(("#", "data:"))], [], "the report is self-contained")
        self.assertNotRegex(text, r"\b(nan|inf)\b%?<")
        return text

    def check_rb2_summary(self, folder):
        summary = json.loads((folder / "summary.json").read_text())
        found = dict(figures(summary))
        for subset in SUBSETS:
            self.assertIn(subset, found)
            self.assertTrue(-0.01 <= found[subset] <= 1.01, subset)
        mean = math.fsum(found[subset] for subset in SUBSETS) / 6
        self.assertTrue(any(abs(value - mean) < 1e-9 for value in found.values()), "the plain mean of six")
        return found

    def mini(self, split="test"):
        path = self.path(f"mini_{split}.jsonl")
        self.succeed("mini", "--split", split, "--output", path)
        return path

    def test_laurel_mini(self):
        data = self.mini()
        rows = read_jsonl(data)
        self.assertEqual(sorted({row["subset"] for row in rows}), SUBSETS)
        for row in rows:
            if row["subset"] != "Ties":
                self.assertEqual((len(row["chosen"]), len(row["rejected"])), (1, 3))
        again = self.path("again.jsonl")
        self.succeed("mini", "--split", "test", "--output", again)
        self.assertEqual(data.read_bytes(), again.read_bytes())
        train = {row["prompt"] for row in read_jsonl(self.mini("train"))}
        self.assertFalse(train & {row["prompt"] for row in rows}, "train and test are disjoint")

    def test_reward_bench_2_on_mini_and_again_from_scores(self):
        data = write_jsonl(self.path("data.jsonl"), self.few_per_subset(read_jsonl(self.mini())))
        out = self.path("out")
        self.succeed("eval", "--model", fixed_head_model(), "--benchmark", "reward-bench-2", "--data", data, "--output", out)
        found = self.check_rb2_summary(out)
        self.check_report(out)
        scores = next(p for p in out.iterdir() if "scores" in p.name)
        again = self.path("again")
        self.succeed("eval", "--benchmark", "reward-bench-2", "--data", data, "--scores", scores, "--output", again)
        self.assertEqual({s: found[s] for s in SUBSETS}, {s: self.check_rb2_summary(again)[s] for s in SUBSETS})

    @staticmethod
    def few_per_subset(rows, count=3):
        kept = []
        for subset in SUBSETS:
            of_subset = [row for row in rows if row["subset"] == subset]
            if subset == "Ties":  # whole pairs tied:N, ref:N
                numbers = sorted({int(row["id"].split(":")[1]) for row in of_subset})[:count]
                kept += [row for row in of_subset if int(row["id"].split(":")[1]) in numbers]
            else:
                kept += of_subset[:count]
        return kept

    def test_figures_follow_the_scores(self):
        """Scores that are right, and scores that are all the same, have known figures."""
        data = write_jsonl(self.path("data.jsonl"), rows := self.few_per_subset(read_jsonl(self.mini())))
        right = [{"id": row["id"], "scores": [1.0] * len(row["chosen"]) + [0.0] * len(row["rejected"])} for row in rows]
        equal = [{"id": row["id"], "scores": [0.5] * (len(row["chosen"]) + len(row["rejected"]))} for row in rows]
        for name, scores, expected in (("right", right, 1.0), ("equal", equal, 0.25)):
            file = write_jsonl(self.path(f"{name}.jsonl"), scores)
            out = self.path(name)
            self.succeed("eval", "--benchmark", "reward-bench-2", "--data", data, "--scores", file, "--output", out)
            found = self.check_rb2_summary(out)
            for subset in SUBSETS[:-1]:
                self.assertEqual(found[subset], expected, subset)
            self.assertAlmostEqual(found["Ties"], 1.01 if name == "right" else 0.0, places=12)

    def test_a_nan_reward_is_an_error(self):
        rows = self.few_per_subset(read_jsonl(self.mini()), 1)
        data = write_jsonl(self.path("data.jsonl"), rows)
        scores = [{"id": row["id"], "scores": [0.5] * (len(row["chosen"]) + len(row["rejected"]))} for row in rows]
        scores[0]["scores"][0] = float("nan")
        file = write_jsonl(self.path("scores.jsonl"), scores)
        self.refuse("eval", "--benchmark", "reward-bench-2", "--data", data, "--scores", file, "--output", self.path("out"),
                    says=["scores.jsonl"])
        self.assertFalse(self.path("out").exists())

    def test_reward_bench_2_sample(self):
        data = shared("reward_bench_2", "sample.jsonl")
        rows = [row for row in read_jsonl(data) if row["subset"] != "Ties" or row["id"] in ("tied:0", "ref:0")]
        rows = [min((row for row in rows if row["subset"] == subset), key=lambda row: len(json.dumps(row))) for subset in SUBSETS
                if subset != "Ties"] + [row for row in rows if row["subset"] == "Ties"]
        self.succeed("eval", "--model", base_model(), "--adapter", adapter(), "--benchmark", "reward-bench-2", "--data",
                     write_jsonl(self.path("data.jsonl"), rows), "--output", self.path("out"))
        self.check_rb2_summary(self.path("out"))
        self.assertIn("Factuality", self.check_report(self.path("out")))

    def test_reward_bench_2_from_parquet(self):
        """The same figures from Parquet as from JSON lines."""
        rows = shared("reward_bench_2", "sample.jsonl")
        scores = write_jsonl(self.path("scores.jsonl"), [
            {"id": row["id"], "scores": [len(answer) % 7 / 7 for answer in row["chosen"] + row["rejected"]]}
            for row in read_jsonl(rows)])
        found = {}
        for name, data in (("lines", rows), ("parquet", shared("parquet", "reward_bench_2_sample.snappy.parquet"))):
            out = self.path(name)
            self.succeed("eval", "--benchmark", "reward-bench-2", "--data", with_parquet(data), "--scores", scores, "--output", out)
            found[name] = self.check_rb2_summary(out)
        self.assertEqual(found["parquet"], found["lines"])

    def test_preference_from_parquet_and_lines(self):
        """Files of both forms, one of them with several row groups, as one list of pairs."""
        pairs = read_jsonl(shared("preference", "hh_harmless.jsonl.gz"))[:600]
        head, rest = (write_jsonl(self.path(f"{name}.jsonl"), rows) for name, rows in (("head", pairs[:500]), ("rest", pairs[500:])))
        scores = write_jsonl(self.path("scores.jsonl"), [
            {"id": pair["id"], "scores": [len(pair[side][-1]["content"]) % 11 for side in ("chosen", "rejected")]}
            for pair in pairs])
        found = {}
        for codec in ("", "snappy", "zstd"):
            data = with_parquet(shared("parquet", f"hh_harmless_500.{codec}.parquet")) if codec else head
            out = self.path(f"out_{codec}")
            self.succeed("eval", "--benchmark", "preference", "--data", data, "--data", rest, "--scores", scores, "--output", out)
            found[codec] = dict(figures(json.loads((out / "summary.json").read_text())))
        self.assertEqual(found["snappy"], found[""])
        self.assertEqual(found["zstd"], found[""])

    def test_parquet_without_its_plugin(self):
        data = self.path("data.parquet")
        data.write_bytes(b"PAR1")
        for variables, words in ({"LAUREL_PARQUET_PLUGIN": "/nowhere/plugin.so"}, ["/nowhere/plugin.so", "tools/setup parquet"]), \
                ({"LAUREL_PARQUET_PLUGIN": str(self.plugin_of_another_kind())}, ["LAUREL_ARROW_LIBRARIES"]):
            with self.subTest(variables=variables):
                self.refuse("eval", "--benchmark", "preference", "--data", data, "--scores", data, "--output", self.path("out"),
                            says=["data.parquet", *words], env=variables)

    def plugin_of_another_kind(self):
        path = self.path("plugin.so")
        path.write_text("no library")
        return path

    def test_damaged_parquet(self):
        data = self.path("data.parquet")
        whole = with_parquet(ROOT / "tests" / "goldens" / "parquet" / "nested.parquet").read_bytes()
        data.write_bytes(whole[:len(whole) // 2])
        self.refuse("eval", "--benchmark", "preference", "--data", data, "--scores", data, "--output", self.path("out"),
                    says=["data.parquet", "damaged Parquet file"])

    def test_preference(self):
        rows = read_jsonl(shared("preference", "hh_harmless.jsonl.gz"))[:300:50]
        self.succeed("eval", "--model", base_model(), "--adapter", adapter(), "--benchmark", "preference", "--data",
                     write_jsonl(self.path("data.jsonl"), rows), "--output", self.path("out"))
        found = dict(figures(json.loads(self.path("out/summary.json").read_text())))
        accuracy = next(value for key, value in found.items() if "accuracy" in key.lower())
        self.assertTrue(0 <= accuracy <= 1)
        self.check_report(self.path("out"))

    def test_rm_bench(self):
        rows = json.loads(shared("rm_bench", "chat_filtered.json").read_text())
        rows = sorted(rows, key=lambda row: len(json.dumps(row)))[:2]
        data = self.path("chat_filtered.json")
        data.write_text(json.dumps(rows))
        self.succeed("eval", "--model", base_model(), "--adapter", adapter(), "--benchmark", "rm-bench", "--data", data,
                     "--output", self.path("out"))
        summary = json.loads(self.path("out/summary.json").read_text())
        self.assertEqual(list(summary["difficulty"]), ["easy", "normal", "hard"])
        self.assertEqual(summary["domains"]["chat"]["count"], 2)
        self.assertEqual(len(read_jsonl(self.path("out/scores.jsonl"))), 2)
        self.check_report(self.path("out"))

    def test_wrong_data(self):
        data = self.path("data.jsonl")
        for content, words in {
            '{"id": "1"}\n': ["data.jsonl", "1"],
            '{"id": "1", "prompt": "x", "chosen": ["a"], "rejected": [], "subset": "Math"}\n': ["data.jsonl"],
            "": ["data.jsonl"],
        }.items():
            with self.subTest(content=content):
                data.write_text(content)
                self.refuse("eval", "--model", fixed_head_model(), "--benchmark", "reward-bench-2", "--data", data, "--output",
                            self.path("out"), says=words)
                self.assertFalse(self.path("out").exists())
        self.refuse("eval", "--model", fixed_head_model(), "--benchmark", "reward-bench-3", "--data", data, "--output",
                    self.path("out"), says=["reward-bench-2"])
