"""laurel sweep, publish and card on a family of tiny models: killed, restarted, ranked, published, loaded."""

import collections
import json
import os
import signal
import sqlite3
import subprocess
import time

import tiny
from support import BINARY, Case, laurel, read_jsonl, write_jsonl

CONFIG = """
bases: {{tiny: {{model: {folder}/base, title: Tiny, hub_name: org/tiny, license: apache-2.0, terms: Be kind.}}}}
mixes:
  sums: {{data: [{folder}/a.jsonl], title: Sums, datasets: org/sums, license: odc-by}}
  both: {{data: [{folder}/a.jsonl, {folder}/b.jsonl], title: Combined}}
grid:
  learning-rate: {rates}
  num-epochs: [1, 2, 3, 4, 5]
common: {{train-batch-size: 4, max-length: 128, lr-scheduler-type: constant}}
evaluate: {{benchmark: reward-bench-2, title: Tiny Bench, data: {folder}/rb2.jsonl}}
card: {{developed_by: Nobody, language: en}}
"""


class Sweep(Case):
    def setUp(self):
        super().setUp()
        tiny.make_base(self.path("base"))
        tiny.write_pairs(self.path("a.jsonl"), 0, 16)
        tiny.write_pairs(self.path("b.jsonl"), 100, 8)
        tiny.write_benchmark(self.path("rb2.jsonl"))
        self.output = self.path("out")

    def configure(self, rates):
        self.path("sweep.yaml").write_text(CONFIG.format(folder=self.folder, rates=rates))
        return ["sweep", "--config", self.path("sweep.yaml"), "--output-dir", self.output, "--jobs", "2"]

    def record(self, question):
        with sqlite3.connect(self.output / "sweep.db", timeout=30) as database:
            return database.execute(question).fetchall()

    def num_finished(self):
        try:
            return self.record("SELECT count(*) FROM job WHERE status = 'finished'")[0][0]
        except sqlite3.OperationalError:  # not made yet
            return 0

    def start_until(self, command, finished):
        """Starts the sweep in the background and returns when so many jobs are done."""
        process = subprocess.Popen([BINARY, *map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   start_new_session=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + 300
        while self.num_finished() < finished and process.poll() is None:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        return process

    def table(self):
        return json.loads(self.succeed("sweep", "table", self.output, "--format", "json").stdout)


class KilledTwice(Sweep):
    def test_every_point_once_and_seventy_revisions(self):
        command = self.configure("[1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2]")
        first = self.start_until(command, 5)  # its processes live on for a while
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
        second = self.start_until(command, 40)
        running = [pid for (pid,) in self.record("SELECT pid FROM job WHERE status = 'running' AND pid IS NOT NULL")]
        os.killpg(second.pid, signal.SIGKILL)
        for pid in running:  # and these die with it
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        second.wait()
        self.succeed(*command)

        points = self.table()
        self.assertEqual(len({point["point"] for point in points}), 70)
        self.assertEqual(collections.Counter(point["status"] for point in points), {"finished": 70})
        self.assertEqual([point["overall"] for point in points], sorted((p["overall"] for p in points), reverse=True))
        self.assertEqual(len(points[0]["subsets"]), 6)
        self.assertEqual(len(list((self.output / "evaluations").iterdir())), 70)
        runs = sorted(path for path in (self.output / "runs").iterdir() if path.is_dir())
        self.assertEqual(len(runs), 14)  # five numbers of epochs share one
        for run in runs:
            steps = [line["step"] for line in read_jsonl(run / "metrics.jsonl")]
            self.assertEqual(steps, list(range(1, 5 * (4 if "-sums-" in run.name else 6) + 1)), run.name)
        text = self.succeed("sweep", "status", self.output).stdout.decode()
        self.assertIn("70 points: 70 finished, 0 running, 0 queued, 0 failed", text)
        self.check_published(points)

    def check_published(self, points):
        hub = self.path("hub")
        self.succeed("publish", self.output, "--to", hub, "--repo-id", "org/tiny-rm")
        repository = hub / "models--org--tiny-rm"
        refs = {path.name: path.read_text() for path in (repository / "refs").iterdir()}
        self.assertEqual(sorted(refs), sorted(["main", *map(str, range(1, 70))]))
        rows = [line.split(" | ") for line in (repository / "snapshots" / refs["main"] / "README.md").read_text().splitlines()
                if line.startswith("| ") and line.count("|") == 12][1:]
        self.assertEqual(len(rows), 70)
        self.assertEqual(rows[0][0], "| main")
        self.assertEqual(float(rows[0][4]), round(100 * points[0]["overall"], 1))
        card = json.loads((repository / "snapshots" / refs["main"] / "laurel_revisions.json").read_text())
        models = {point["point"]: self.output / point["model"] for point in points}
        for revision in card["revisions"]:
            published = repository / "snapshots" / refs[revision["revision"]] / "model.safetensors"
            self.assertTrue(os.path.samefile(published, models[revision["run"]] / "model.safetensors"))
        self.check_scores(hub, models[card["revisions"][2]["run"]])
        self.succeed("publish", self.output, "--to", hub, "--repo-id", "org/tiny-rm")
        self.assertEqual(refs, {path.name: path.read_text() for path in (repository / "refs").iterdir()})

    def check_scores(self, hub, model):
        """A revision by name is the run's model by directory."""
        rows = write_jsonl(self.path("in.jsonl"), [{"prompt": "1 + 1?", "completions": ["it is 2.", "maybe 4"]}])
        rewards = []
        for name in ("org/tiny-rm@2", model):
            self.succeed("score", "--model", name, "--input", rows, "--output", self.path("out.jsonl"),
                         env={"HF_HUB_CACHE": str(hub)})
            rewards.append(read_jsonl(self.path("out.jsonl"))[0]["rewards"])
        self.assertEqual(rewards[0], rewards[1])
        main = self.succeed("card", hub).stdout.decode()
        self.assertIn("org/tiny-rm", main)
        self.assertIn("Training data Combined: **no license is given**", main)


class SeveralBases(Sweep):
    def test_points_of_each_base_come_from_it(self):
        tiny.make_base(self.path("other"), "qwen2")
        command = self.configure("[1e-3, 1e-2]")
        config = self.path("sweep.yaml")
        first = config.read_text().splitlines()[1]
        config.write_text(config.read_text().replace(first, f"{first[:-1]}, other: {{model: {self.path('other')}, license: mit}}}}")
                          .replace("[1, 2, 3, 4, 5]", "[1, 2]"))
        self.succeed(*command)
        points = self.table()
        self.assertEqual(len(points), 2 * 2 * 2 * 2)
        self.assertEqual({point["status"] for point in points}, {"finished"})
        families = collections.Counter()
        for point in points:
            model = json.loads((self.output / point["model"] / "config.json").read_text())
            families[point["base"], model["architectures"][0]] += 1
        self.assertEqual(families, {("tiny", "LlamaForSequenceClassification"): 8, ("other", "Qwen2ForSequenceClassification"): 8})
        self.succeed("publish", self.output, "--to", self.path("hub"), "--repo-id", "org/two")
        card = self.succeed("card", self.path("hub")).stdout.decode()
        self.assertIn("apache-2.0", card)
        self.assertIn("mit", card)


class Interrupted(Sweep):
    def test_a_signal_stops_the_sweep_and_the_same_command_goes_on(self):
        command = self.configure("[1e-3, 1e-2]")
        process = self.start_until(command, 2)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=120), 130)
        self.assertEqual(self.record("SELECT count(*) FROM job WHERE status IN ('running', 'failed')"), [(0,)])
        self.succeed(*command)
        self.assertEqual({point["status"] for point in self.table()}, {"finished"})


class Refused(Sweep):
    def test_bad_configurations_leave_nothing(self):
        command = self.configure("[1e-3]")
        text = self.path("sweep.yaml").read_text()
        self.path("sweep.yaml").write_text(text.replace("learning-rate", "learning-rats"))
        self.refuse(*command, says=["unknown option \"learning-rats\"; did you mean learning-rate?"])
        self.assertFalse(self.output.exists())
        self.refuse("sweep", says=["expected --config and --output-dir, or a command"])
        self.refuse("sweep", "table", self.folder, says=["sweep.db: no such file"])
        self.refuse("publish", self.folder, "--to", self.path("hub"), says=["expected the directory of a run"])
        self.refuse("card", self.path("nothing"), says=["no such directory"])

    def test_failed_points_are_told_and_retried(self):
        command = self.configure("[1e-3]")
        broken = self.path("b.jsonl").read_text()
        self.path("b.jsonl").write_text("{broken\n")
        self.refuse(*command, says=["5 of 10 points failed"])
        status = self.succeed("sweep", "status", self.output).stdout.decode()
        self.assertIn("b.jsonl:1", status)
        self.assertIn("logs/train-tiny-both-lr0.001-ep5.log", status)
        self.path("b.jsonl").write_text(broken)
        self.succeed(*command, "--retry-failed")
        self.assertEqual({point["status"] for point in self.table()}, {"finished"})
