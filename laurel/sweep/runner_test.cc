#include "laurel/sweep/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <set>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/base/test_support.h"
#include "laurel/formats/yaml.h"
#include "laurel/schema/run_record.h"
#include "laurel/sweep/results.h"

namespace laurel::sweep {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Death {};  // what kill -9 does to the sweep

std::string value_after(const std::vector<std::string>& words, const std::string& name) {
  const auto found = std::find(words.begin(), words.end(), name);
  return found == words.end() ? "" : *(found + 1);
}

// Programs that leave what laurel train and laurel eval leave, at once.
class FakeLauncher : public Launcher {
 public:
  pid_t start(const std::string& job, const std::vector<std::string>& arguments,
              const fs::path& log) override {
    if (deaths_.contains(static_cast<int>(started.size()))) {
      deaths_.erase(static_cast<int>(started.size()));
      ended_.clear();
      throw Death();
    }
    started.push_back(job);
    lines.push_back(arguments);
    if (failing.contains(job)) {
      write_file(log, "step 1\nlaurel: error: loss is NaN\n");
      ended_.push_back({LaunchEvent::Kind::kEnded, job, 2});
    } else if (!hanging.contains(job)) {
      arguments[0] == "train" ? train(arguments) : evaluate(arguments);
      ended_.push_back({LaunchEvent::Kind::kEnded, job, 0});
    }
    most_at_once = std::max(most_at_once, ended_.size());
    return 1000 + static_cast<pid_t>(started.size());
  }

  LaunchEvent wait(double) override {
    if (stop_after == static_cast<int>(started.size())) {
      stop_after = -1;
      return {LaunchEvent::Kind::kStop, "", 0};
    }
    if (ended_.empty()) throw InternalError("nothing to wait for");
    const LaunchEvent event = ended_.front();
    ended_.pop_front();
    return event;
  }

  void stop_all(bool) override {
    for (const std::string& job : hanging) ended_.push_back({LaunchEvent::Kind::kEnded, job, 130});
  }

  void settle(const fs::path&, pid_t pid) override { settled.push_back(pid); }

  void die_at(std::set<int> starts) { deaths_ = std::move(starts); }

  std::vector<std::string> started;
  std::vector<std::vector<std::string>> lines;
  std::vector<pid_t> settled;
  std::set<std::string> failing, hanging;
  std::size_t most_at_once = 0;
  int stop_after = -1;

 private:
  static void train(const std::vector<std::string>& arguments) {
    const Json options = formats::read_yaml_file(value_after(arguments, "--config"));
    const fs::path run = options["output-dir"].get<std::string>();
    fs::create_directories(run);
    if (options.contains("export-epochs")) fs::create_directories(run / "epoch-1");
    write_file(run / "config.json", "{}");
    schema::RunRecord record;
    record.status = schema::RunStatus::kFinished;
    write_file(run / "run.json", to_text(to_json(record)));
  }

  static void evaluate(const std::vector<std::string>& arguments) {
    const fs::path output = value_after(arguments, "--output");
    fs::create_directories(output);
    const bool is_best = output.filename() == "smol-both-lr2e-5-ep2";
    const Json summary = {{"overall", is_best ? 0.75 : 0.5},
                          {"subsets", {{"Math", {{"score", 0.25}, {"count", 4}}}}}};
    write_file(output / "summary.json", to_text(summary));
  }

  std::deque<LaunchEvent> ended_;
  std::set<int> deaths_;
};

class RunnerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / fmt::format("laurel_runner_{}", ::getpid());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    config_ = config("num-epochs: [1, 2]");
    records_ = std::make_unique<Records>(folder_, false);
    records_->synchronize(config_, "linear");
  }
  void TearDown() override { fs::remove_all(folder_); }

  static SweepConfig config(const std::string& axes, const std::string& common = "seed: 1") {
    const std::string text = fmt::format(
        "bases: {{smol: {{model: dir/smol}}}}\nmixes: {{tulu: {{data: a.jsonl}}, both: {{data: "
        "[a.jsonl, b.jsonl]}}}}\ngrid:\n  learning-rate: [3e-6, 2e-5]\n  {}\ncommon: {{{}}}\n"
        "evaluate: {{benchmark: reward-bench-2, data: [x.jsonl, y.jsonl], options: {{rule: a, "
        "fast: true, slow: false}}}}\n",
        axes, common);
    const ProgramOptions known = {
        {"learning-rate", "num-epochs", "seed", "lr-scheduler-type", "threads"},
        {"rule", "fast", "slow"}};
    return parse_sweep_config(formats::parse_yaml(text, "x"), known, "x");
  }

  RunnerResult run(int num_jobs = 1) {
    RunnerOptions options;
    options.num_jobs = num_jobs;
    options.num_threads = 3;
    return run_jobs(folder_, config_, *records_, launcher_, options);
  }

  // Each point finished, with figures, and each job started as often as said.
  void expect_whole(std::size_t num_started) {
    std::size_t attempts = 0;
    for (const Job& job : records_->jobs()) {
      EXPECT_EQ(job.status, JobStatus::kFinished) << job.name;
      attempts += static_cast<std::size_t>(job.attempts);
    }
    for (const PointRecord& point : records_->points()) {
      EXPECT_EQ(point.status, JobStatus::kFinished);
      EXPECT_TRUE(point.figures) << point.point.name;
    }
    EXPECT_EQ(launcher_.started.size(), num_started);
    EXPECT_GE(attempts, num_started);
  }

  fs::path folder_;
  SweepConfig config_;
  std::unique_ptr<Records> records_;
  FakeLauncher launcher_;
};

TEST_F(RunnerTest, EveryPointOnce) {
  const RunnerResult result = run();
  EXPECT_EQ(result.num_failed, 0);
  EXPECT_FALSE(result.stopped);
  expect_whole(16);
  EXPECT_EQ(std::set<std::string>(launcher_.started.begin(), launcher_.started.end()).size(), 16u);
  EXPECT_EQ(launcher_.started[0], "train/smol-tulu-lr3e-6-ep1");
  EXPECT_EQ(launcher_.started[1], "evaluate/smol-tulu-lr3e-6-ep1");
  EXPECT_EQ(records_->points()[7].figures->overall, 0.75);
}

TEST_F(RunnerTest, CommandLines) {
  run();
  const std::string run_file = (folder_ / "runs" / "smol-tulu-lr3e-6-ep1.yaml").string();
  EXPECT_THAT(launcher_.lines[0], ElementsAre("train", "--config", run_file, "--threads", "3"));
  EXPECT_THAT(launcher_.lines[1],
              ElementsAre("eval", "--model", (folder_ / "runs/smol-tulu-lr3e-6-ep1").string(),
                          "--benchmark", "reward-bench-2", "--data", "x.jsonl", "--data", "y.jsonl",
                          "--output", (folder_ / "evaluations/smol-tulu-lr3e-6-ep1").string(),
                          "--rule", "a", "--fast", "--overwrite", "--threads", "3"));
  const Json options = formats::read_yaml_file(run_file);
  EXPECT_EQ(options["model"], "dir/smol");
  EXPECT_EQ(to_line(options["data"]), R"(["a.jsonl"])");
  EXPECT_EQ(options["learning-rate"], 3e-6);
  EXPECT_EQ(options["seed"], 1);
  EXPECT_EQ(options["cache-dir"], (folder_ / "cache").string());
}

TEST_F(RunnerTest, SeveralAtOnce) {
  run(4);
  expect_whole(16);
  EXPECT_EQ(launcher_.most_at_once, 4u);
}

// Dies at every start in turn; what was finished is not done again.
TEST_F(RunnerTest, DeathAnywhereCostsNothingDone) {
  launcher_.die_at({0, 1, 2, 3, 5, 8, 13, 15});
  int deaths = 0;
  for (bool whole = false; !whole;) {
    try {
      run(2);
      whole = true;
    } catch (const Death&) {
      ++deaths;
      records_ = std::make_unique<Records>(folder_, true);
      records_->synchronize(config_, "linear");
    }
  }
  EXPECT_EQ(deaths, 8);
  expect_whole(16);
}

// A process that ended while the sweep was dead: its result counts.
TEST_F(RunnerTest, ResultsOfOrphansCount) {
  records_->set_running("train/smol-tulu-lr3e-6-ep1");
  records_->set_pid("train/smol-tulu-lr3e-6-ep1", 4321);
  FakeLauncher other;
  fs::create_directories(folder_ / "runs");
  write_file(folder_ / "runs" / "x.yaml",
             fmt::format("output-dir: {}", (folder_ / "runs/smol-tulu-lr3e-6-ep1").string()));
  other.start("x", {"train", "--config", (folder_ / "runs" / "x.yaml").string()}, "");
  run();
  EXPECT_THAT(launcher_.settled, ElementsAre(4321));
  EXPECT_EQ(launcher_.started[0], "evaluate/smol-tulu-lr3e-6-ep1");
  expect_whole(15);
}

TEST_F(RunnerTest, UnfinishedEvaluationsAreCleared) {
  records_->set_finished("train/smol-tulu-lr3e-6-ep1", 1);
  records_->set_running("evaluate/smol-tulu-lr3e-6-ep1");
  const fs::path folder = folder_ / "evaluations";
  for (const char* name : {"smol-tulu-lr3e-6-ep1.812-1.tmp", "smol-tulu-lr3e-6-ep1.x.tmp"}) {
    fs::create_directories(folder / name);
  }
  run();
  EXPECT_FALSE(fs::exists(folder / "smol-tulu-lr3e-6-ep1.812-1.tmp"));
  EXPECT_TRUE(fs::exists(folder / "smol-tulu-lr3e-6-ep1.x.tmp"));  // none of ours
}

// A record that forgot its last change.
TEST_F(RunnerTest, ResultsThatTheRecordForgotCount) {
  run();
  for (const Job& job : records_->jobs()) records_->set_queued(job.name);
  run();
  expect_whole(16);
}

TEST_F(RunnerTest, UnfinishedRunIsResumed) {
  fs::create_directories(folder_ / "runs/smol-tulu-lr3e-6-ep1");
  write_file(folder_ / "runs/smol-tulu-lr3e-6-ep1/run.json", to_text(to_json(schema::RunRecord{})));
  run();
  EXPECT_EQ(launcher_.lines[0][3], "--resume");
}

TEST_F(RunnerTest, FailureIsRecordedAndTheOthersGoOn) {
  launcher_.failing = {"train/smol-tulu-lr3e-6-ep2", "evaluate/smol-both-lr2e-5-ep1"};
  EXPECT_EQ(run().num_failed, 2);
  const std::vector<PointRecord> points = records_->points();
  EXPECT_EQ(points[1].status, JobStatus::kFailed);
  EXPECT_EQ(points[1].error, "loss is NaN");
  EXPECT_EQ(points[6].failed_job, "evaluate/smol-both-lr2e-5-ep1");
  EXPECT_EQ(std::count_if(points.begin(), points.end(),
                          [](const auto& p) { return p.status == JobStatus::kFinished; }),
            6);
  launcher_.failing.clear();
  EXPECT_EQ(run().num_failed, 0);
  EXPECT_EQ(records_->points()[1].status, JobStatus::kFailed);  // not by itself
  records_->retry_failed();
  run();
  EXPECT_EQ(records_->points()[1].status, JobStatus::kFinished);
}

TEST_F(RunnerTest, StopQueuesWhatWasRunning) {
  launcher_.hanging = {"train/smol-tulu-lr3e-6-ep2"};
  launcher_.stop_after = 3;
  const RunnerResult result = run();
  EXPECT_TRUE(result.stopped);
  EXPECT_EQ(result.num_failed, 0);
  EXPECT_EQ(records_->points()[0].status, JobStatus::kFinished);
  EXPECT_EQ(records_->points()[1].status, JobStatus::kQueued);
  launcher_.hanging.clear();
  run();
  expect_whole(17);
}

TEST_F(RunnerTest, SharedRunsServeSeveralPoints) {
  config_ = config("num-epochs: [1, 2]", "lr-scheduler-type: constant, threads: 1");
  fs::remove_all(folder_);
  fs::create_directories(folder_);
  records_ = std::make_unique<Records>(folder_, false);
  records_->synchronize(config_, "linear");
  run();
  expect_whole(12);  // 4 trainings, 8 evaluations
  EXPECT_EQ(formats::read_yaml_file(folder_ / "runs/smol-tulu-lr3e-6-ep2.yaml")["export-epochs"],
            true);
  EXPECT_EQ(value_after(launcher_.lines[0], "--threads"), "");  // the configuration says how many
  EXPECT_EQ(value_after(launcher_.lines[1], "--model"),
            (folder_ / "runs/smol-tulu-lr3e-6-ep2/epoch-1").string());
}

TEST_F(RunnerTest, AdaptersAreEvaluatedOnTheirBase) {
  fs::create_directories(folder_ / "runs/smol-tulu-lr3e-6-ep1");
  write_file(folder_ / "runs/smol-tulu-lr3e-6-ep1/adapter_config.json", "{}");
  run();
  EXPECT_EQ(value_after(launcher_.lines[1], "--model"), "dir/smol");
  EXPECT_EQ(value_after(launcher_.lines[1], "--adapter"),
            (folder_ / "runs/smol-tulu-lr3e-6-ep1").string());
}

TEST(SweepResults, LastMessageOfALog) {
  const fs::path log = fs::path(::testing::TempDir()) / fmt::format("laurel_log_{}", ::getpid());
  write_file(log, "one\nlaurel: error: disk full\nsee there\n\n");
  EXPECT_EQ(last_message(log), "disk full");
  write_file(log, "one\nstep 1\rstep 2\n  \n");
  EXPECT_EQ(last_message(log), "step 2");
  write_file(log, "");
  EXPECT_EQ(last_message(log), "");
  write_file(log, std::string(1 << 17, 'x') + "\nlast\n");
  EXPECT_EQ(last_message(log), "last");
  fs::remove(log);
}

TEST(SweepResults, FiguresOfAnEvaluation) {
  const fs::path folder = fs::path(::testing::TempDir()) / fmt::format("laurel_fig_{}", ::getpid());
  fs::create_directories(folder);
  EXPECT_FALSE(read_figures(folder));
  write_file(
      folder / "summary.json",
      R"({"overall": null, "sections": {"Chat": {"score": 0.5}}, "subsets": {"a": {"score": 1}}})");
  const Figures figures = *read_figures(folder);
  EXPECT_FALSE(figures.overall);
  ASSERT_EQ(figures.subsets.size(), 1u);
  EXPECT_EQ(figures.subsets[0].first, "Chat");
  fs::remove_all(folder);
}

// Through the test program itself, which knows no such arguments.
TEST(ProcessLauncher, StartsReportsAndLocks) {
  const fs::path log = fs::path(::testing::TempDir()) / fmt::format("laurel_spawn_{}", ::getpid());
  ProcessLauncher launcher;
  launcher.start("job", {"--gtest_list_tests"}, log);
  LaunchEvent event;
  while (event.kind == LaunchEvent::Kind::kNothing) event = launcher.wait(10);
  EXPECT_EQ(event.kind, LaunchEvent::Kind::kEnded);
  EXPECT_EQ(event.job, "job");
  EXPECT_EQ(event.exit_status, 0);
  EXPECT_THAT(read_file(log), HasSubstr("ProcessLauncher."));
  launcher.settle(log, 0);  // nobody holds it
  fs::remove(log);
}

TEST(ProcessLauncher, StopsProcesses) {
  const fs::path log = fs::path(::testing::TempDir()) / fmt::format("laurel_stop_{}", ::getpid());
  ProcessLauncher launcher;
  const pid_t pid = launcher.start(
      "job", {"--gtest_also_run_disabled_tests", "--gtest_filter=*DISABLED_Sleeps"}, log);
  EXPECT_THAT(error_text<InternalError>([&] { launcher.start("second", {"--help"}, log); }),
              HasSubstr("another process writes to"));
  launcher.stop_all(false);
  LaunchEvent event;
  while (event.kind == LaunchEvent::Kind::kNothing) event = launcher.wait(10);
  EXPECT_EQ(event.exit_status, 128 + SIGTERM);
  EXPECT_NE(::kill(pid, 0), 0);
  fs::remove(log);
}

TEST(ProcessLauncher, SettleEndsAnOrphan) {
  const fs::path log = fs::path(::testing::TempDir()) / fmt::format("laurel_orphan_{}", ::getpid());
  ProcessLauncher launcher;
  const pid_t pid = launcher.start(
      "job", {"--gtest_also_run_disabled_tests", "--gtest_filter=*DISABLED_Sleeps"}, log);
  launcher.settle(log, pid);
  LaunchEvent event;
  while (event.kind == LaunchEvent::Kind::kNothing) event = launcher.wait(10);
  EXPECT_EQ(event.exit_status, 128 + SIGTERM);
  fs::remove(log);
}

TEST(ProcessLauncher, SignalsComeAsEvents) {
  ProcessLauncher launcher;
  ::kill(::getpid(), SIGTERM);
  EXPECT_EQ(launcher.wait(10).kind, LaunchEvent::Kind::kStop);
  EXPECT_EQ(launcher.wait(0.01).kind, LaunchEvent::Kind::kNothing);
}

// The process that the tests above start.
TEST(ProcessLauncher, DISABLED_Sleeps) { ::sleep(600); }

}  // namespace
}  // namespace laurel::sweep
