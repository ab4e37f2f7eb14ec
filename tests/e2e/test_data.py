"""laurel data: the same tokens from every form of the same pairs, mixes that read as what they are, clear refusals."""

import gzip
import json
import os
import subprocess

from support import Case, base_model, read_jsonl, shared, write_jsonl


def pair(prompt, chosen, rejected):
    user = {"role": "user", "content": prompt}
    return {"chosen": [user, {"role": "assistant", "content": chosen}],
            "rejected": [user, {"role": "assistant", "content": rejected}]}


ROWS = [pair(f"What is {i} + 1?", f"It is {i + 1}.", f"It is {i}, I think, or so.") for i in range(20)]


class Data(Case):
    def inspect(self, *entries, options=(), name="summary.json"):
        """The summary of a mix, and what was printed."""
        mix = [word for entry in entries for word in ("--data", entry)]
        done = self.succeed("data", "inspect", "--model", base_model(), *mix, *options, "--output", self.path(name))
        return json.loads(self.path(name).read_text()), done.stdout.decode()

    def ids(self, path):
        """Token ids of both sides of every row, by the road that scoring takes."""
        self.succeed("tokenize", "--model", base_model(), "--input", path, "--output", self.path("ids.jsonl"))
        return [row["input_ids"] for row in read_jsonl(self.path("ids.jsonl"))]


class Inspect(Data):
    def test_figures_agree_with_scorings_tokens(self):
        source = write_jsonl(self.path("pairs.jsonl"), ROWS)
        summary, text = self.inspect(f"{source} 1.0")
        ids = self.ids(source)
        self.assertEqual(summary["examples"], len(ROWS))
        self.assertEqual(summary["tokens"], sum(len(side) for pair_ids in ids for side in pair_ids))
        shared_tokens = sum(next(i for i, (a, b) in enumerate(zip(*pair_ids)) if a != b) for pair_ids in ids)
        self.assertEqual(summary["computed_tokens"], summary["tokens"] - shared_tokens)
        self.assertEqual(summary["lengths"]["sequence"]["max"], max(len(side) for pair_ids in ids for side in pair_ids))
        self.assertIn("20 examples, 40 sequences", text)

    def test_forms_of_the_same_pairs_give_the_same(self):
        """Implicit and explicit prompts, strings, messages, ids, ShareGPT, ranked completions; plain and compressed."""
        source = write_jsonl(self.path("messages.jsonl"), ROWS)
        sides = [(r["chosen"][0]["content"], r["chosen"][1]["content"], r["rejected"][1]["content"]) for r in ROWS]
        forms = {
            "strings": [{"prompt": q, "chosen": a, "rejected": b} for q, a, b in sides],
            "axolotl": [{"input": q, "chosen": a, "rejected": b} for q, a, b in sides],
            "transcripts": [{"chosen": f"\n\nHuman: {q}\n\nAssistant: {a}", "rejected": f"\n\nHuman: {q}\n\nAssistant: {b}"}
                            for q, a, b in sides],
            "explicit": [{"prompt": r["chosen"][:1], "chosen": r["chosen"][1:], "rejected": r["rejected"][1:]} for r in ROWS],
            "ids": [{"chosen_ids": a, "rejected_ids": b} for a, b in self.ids(source)],
            "sharegpt": [{"conversations": [{"from": "human", "value": q}], "chosen": {"from": "gpt", "value": a},
                          "rejected": {"from": "gpt", "value": b}} for q, a, b in sides],
            "ranked": [{"context": r["chosen"][:1], "completions": [{"rank": 1, "completion": r["rejected"][1:]},
                                                                    {"rank": 0, "completion": r["chosen"][1:]}]} for r in ROWS],
            "columns": [{"q": q, "good": a, "bad": b} for q, a, b in sides],
        }
        expected = self.inspect(str(source))[0]
        for name, rows in forms.items():
            with self.subTest(form=name):
                path = write_jsonl(self.path(f"{name}.jsonl"), rows)
                keys = ["--prompt-key", "q", "--chosen-key", "good", "--rejected-key", "bad"] if name == "columns" else []
                summary = self.inspect(str(path), options=keys)[0]
                for key in ("examples", "tokens", "computed_tokens", "lengths", "histogram"):
                    self.assertEqual(summary[key], expected[key], key)
        self.path("rows.json").write_bytes(gzip.compress(json.dumps(ROWS).encode()))
        self.assertEqual(self.inspect(str(self.path("rows.json")))[0]["tokens"], expected["tokens"])

    def test_any_number_of_threads_and_the_cache_give_the_same(self):
        source = write_jsonl(self.path("pairs.jsonl"), ROWS * 40)
        cache = ["--cache", self.path("cache")]
        one = self.inspect(f"{source} 0.7", options=["--threads", "1"])
        self.assertEqual(self.inspect(f"{source} 0.7", options=["--threads", "3"]), one)
        self.assertEqual(self.inspect(f"{source} 0.7", options=cache), one)
        self.assertEqual(self.inspect(f"{source} 0.7", options=cache), one)
        (stored,) = self.path("cache").iterdir()
        stored.write_bytes(stored.read_bytes()[:-7])
        self.assertEqual(self.inspect(f"{source} 0.7", options=cache), one)

    def test_examples_are_shown_as_the_model_sees_them(self):
        source = write_jsonl(self.path("pairs.jsonl"), ROWS[:1])
        text = self.inspect(str(source), options=["--show", "5"])[1]
        self.assertIn("<|im_start|>user\nWhat is 0 + 1?<|im_end|>\n<|im_start|>assistant\nIt is", text)
        self.assertIn("best, ", text)
        self.assertIn("rank 2, ", text)

    def test_filters_are_counted(self):
        benchmark = write_jsonl(self.path("bench.jsonl"), [{"id": "q7", "prompt": "what IS 7 + 1"}])
        rows = ROWS + [pair("Same?", "Yes.", "Yes."), pair("Empty?", "", "No."), pair("Long?", "word " * 400, "No.")]
        source = write_jsonl(self.path("pairs.jsonl"), rows)
        summary, text = self.inspect(str(source), options=["--max-length", "256", "--decontaminate", benchmark])
        self.assertEqual(summary["sources"][0]["dropped"],
                         {"empty answer": 1, "identical completions": 1, "contaminated": 1, "too long": 1})
        self.assertEqual(summary["sources"][0]["contaminated"], [f"{source}:8: {benchmark}:1 (id q7)"])
        self.assertIn("1 contaminated", text)

    def test_directories_and_the_hubs_cache(self):
        folder = self.path("hub") / "datasets--org--pairs"
        commit = "0123456789" * 4
        data = folder / "snapshots" / commit / "data"
        data.mkdir(parents=True)
        (folder / "refs").mkdir()
        (folder / "refs" / "main").write_text(commit)
        write_jsonl(data / "train-00000-of-00002.jsonl", ROWS[:8])
        write_jsonl(data / "train-00001-of-00002.jsonl", ROWS[8:])
        write_jsonl(data / "test-00000-of-00001.jsonl", ROWS[:3])
        os.environ["HF_HUB_CACHE"] = str(self.path("hub"))
        self.addCleanup(os.environ.pop, "HF_HUB_CACHE")
        summary = self.inspect("org/pairs 1.0", "org/pairs@main 2 test", f"{data.parent} 5")[0]
        self.assertEqual([s["rows"] for s in summary["sources"]], [20, 3, 20])
        self.assertEqual([s["examples"] for s in summary["sources"]], [20, 2, 5])

    def test_wrong_input_is_refused_with_a_sentence(self):
        good = write_jsonl(self.path("good.jsonl"), ROWS[:2])
        unpaired = write_jsonl(self.path("unpaired.jsonl"), [{"prompt": "q", "completion": "a", "label": True}])
        torn = self.path("torn.jsonl.gz")
        torn.write_bytes(gzip.compress(json.dumps(ROWS[0]).encode() * 500)[:200])
        broken = self.path("broken.jsonl")
        broken.write_text(json.dumps(ROWS[0]) + "\n{\n")
        command = ["data", "inspect", "--model", base_model(), "--output", self.path("out.json"), "--data"]
        for entry, says in [(f"{self.path('absent.jsonl')} 1.0", ["absent.jsonl: no such file"]),
                            ("org/absent 1.0", ["org/absent@main: data set not found"]),
                            (f"{good} 0", ["expected an amount above 0"]),
                            (f"{good} 1.0 test", ["a file has the one split"]),
                            (f"{good} 0.1", ["at least one row"]),
                            (f"{self.folder} 1.0", ["no files of split \"train\""]),
                            (unpaired, ["unpaired.jsonl:1", "an unpaired completion with a label"]),
                            (torn, ["torn.jsonl.gz"]),
                            (broken, ["broken.jsonl:2: invalid JSON"])]:
            with self.subTest(entry=str(entry)):
                self.refuse(*command, entry, says=says)
        self.assertFalse(self.path("out.json").exists())
        self.refuse("data", says=["expected a command, inspect or mix"])
        summary = self.inspect(str(broken), options=["--skip-bad-rows"])[0]
        self.assertEqual((summary["examples"], summary["sources"][0]["bad"]), (1, 1))

    def test_skipping_bad_rows_does_not_hide_a_damaged_file(self):
        torn = self.path("torn.jsonl.gz")
        torn.write_bytes(gzip.compress((json.dumps(ROWS[0]) + "\n").encode() * 5000)[:-400])
        self.refuse("data", "inspect", "--model", base_model(), "--data", torn, "--skip-bad-rows", says=["torn.jsonl.gz"])


class Mix(Data):
    def test_a_written_mix_reads_as_the_mix(self):
        a = write_jsonl(self.path("a.jsonl"), [{**row, "id": f"a{i}", "margin": i / 4} for i, row in enumerate(ROWS)])
        b = write_jsonl(self.path("b.jsonl"), [{"prompt": r["chosen"][0]["content"], "chosen": "Yes.", "rejected": "No."}
                                               for r in ROWS[:6]])
        entries = [f"{a} 7", f"{b} 2.5"]
        direct = self.inspect(*entries)[0]
        self.succeed("data", "mix", "--data", entries[0], "--data", entries[1], "--output", self.path("mix.jsonl"))
        self.succeed("data", "mix", "--data", entries[0], "--data", entries[1], "--output", self.path("mix.jsonl.zst"))
        for name in ("mix.jsonl", "mix.jsonl.zst"):
            summary = self.inspect(str(self.path(name)))[0]
            for key in ("examples", "tokens", "computed_tokens", "lengths"):
                self.assertEqual(summary[key], direct[key], key)
        rows = read_jsonl(self.path("mix.jsonl"))
        self.assertEqual(len(rows), 7 + 15)
        self.assertEqual({row["source"] for row in rows}, {str(a), str(b)})
        self.assertEqual([row["id"] for row in rows[7:13]], ["1", "2", "3", "4", "5", "6"])
        for row in rows[:7]:  # numpy.random.RandomState(42).choice(20, 7, replace=False), in the ids' own words
            self.assertEqual(row["margin"], int(row["id"][1:]) / 4)
        self.assertEqual([row["id"] for row in rows[:7]], ["a0", "a17", "a15", "a1", "a8", "a5", "a11"])
        plain = subprocess.run(["zstd", "-dc", self.path("mix.jsonl.zst")], capture_output=True)
        if plain.returncode == 0:
            self.assertEqual(plain.stdout, self.path("mix.jsonl").read_bytes())

    def test_nothing_is_left_of_a_failed_mix(self):
        good = write_jsonl(self.path("good.jsonl"), ROWS)
        bad = write_jsonl(self.path("bad.jsonl"), [{"chosen": "a"}])
        self.refuse("data", "mix", "--data", good, "--data", bad, "--output", self.path("mix.jsonl"), says=["bad.jsonl:1"])
        self.refuse("data", "mix", "--data", good, "--max-length", "9", "--output", self.path("mix.jsonl"), says=["--model"])
        self.refuse("data", "mix", "--data", good, "--output", self.path("mix.jsonl.gz"), says=["gzip"])
        self.assertEqual(self.left_in_folder("good.jsonl", "bad.jsonl"), [])


class HarmlessPairs(Data):
    """The HH pairs as raw text, as messages and as Parquet: the same examples."""

    def mixed(self, source, name):
        self.succeed("data", "mix", "--data", source, "--output", self.path(name))
        return [(row["chosen"], row["rejected"]) for row in read_jsonl(self.path(name))]

    def test_three_forms_give_the_same_ids(self):
        raw = self.mixed(shared("preference", "hh_harmless_test.jsonl.gz"), "raw.jsonl")
        messages = self.mixed(shared("preference", "hh_harmless.jsonl.gz"), "messages.jsonl")
        parquet = self.mixed(shared("parquet", "hh_harmless_500.zstd.parquet"), "parquet.jsonl")
        self.assertEqual((len(raw), len(messages), len(parquet)), (2308, 2303, 500))
        self.assertEqual(parquet, messages[:500])
        # the messages lack the pairs whose prompts differ
        self.assertEqual([row for row in raw if row[0][:-1] == row[1][:-1]], messages)
        summary = self.inspect(f"{shared('preference', 'hh_harmless_test.jsonl.gz')} 1.0")[0]
        self.assertEqual(summary["sources"][0]["dropped"], {"empty answer": 4})
        self.assertEqual(summary["sources"][0]["prompts_differ"], 5)
        written = self.inspect(str(self.path("raw.jsonl")))[0]
        self.assertEqual(written["tokens"], summary["tokens"])
        self.assertEqual(summary["tokens"], sum(len(s) for sides in self.ids(self.path("raw.jsonl")) for s in sides))
