// Configuration, grid, record and tables.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/base/test_support.h"
#include "laurel/formats/yaml.h"
#include "laurel/sweep/lock.h"
#include "laurel/sweep/overview.h"

namespace laurel::sweep {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

const ProgramOptions kKnown = {
    {"model", "data", "output-dir", "learning-rate", "num-epochs", "seed", "train-batch-size",
     "lr-scheduler-type", "warmup-ratio", "max-steps"},
    {"model", "max-length", "rule"}};

constexpr const char* kText = R"(
bases:
  smol: {model: dir/smol, hub_name: org/smol, license: apache-2.0}
  qwen: {hub_name: org/qwen}
mixes:
  tulu: {data: [a.jsonl 1.0], title: Tulu, license: odc-by}
  both: {data: [a.jsonl 1.0, b.jsonl 500]}
grid:
  learning-rate: [1e-6, 3e-6]
  num-epochs: [1, 2]
common: {train-batch-size: 4}
evaluate: {benchmark: reward-bench-2, data: rb2.jsonl, options: {max-length: 512}}
card: {summary: Small ones.}
)";

SweepConfig config_of(const std::string& text) {
  return parse_sweep_config(formats::parse_yaml(text, "sweep.yaml"), kKnown, "sweep.yaml");
}

std::string error_of(const std::string& text) {
  return error_text<UserError>([&] { config_of(text); });
}

// kText with one thing replaced.
std::string changed(std::string_view from, std::string_view to) {
  std::string text = kText;
  return text.replace(text.find(from), from.size(), to);
}

TEST(SweepConfig, ReadsEveryPart) {
  const SweepConfig config = config_of(kText);
  ASSERT_EQ(config.bases.size(), 2u);
  EXPECT_EQ(config.bases[0].model, "dir/smol");
  EXPECT_EQ(config.bases[0].card.license.license, "apache-2.0");
  EXPECT_EQ(config.bases[1].model, "org/qwen");
  EXPECT_EQ(config.mixes[1].data, (std::vector<std::string>{"a.jsonl 1.0", "b.jsonl 500"}));
  ASSERT_EQ(config.axes.size(), 2u);
  EXPECT_EQ(config.axes[0].values[1], 3e-6);
  EXPECT_EQ(config.common["train-batch-size"], 4);
  EXPECT_EQ(config.evaluation->data, std::vector<std::string>{"rb2.jsonl"});
  EXPECT_EQ(config.evaluation->options["max-length"], 512);
  EXPECT_EQ(config.card.summary, "Small ones.");
}

TEST(SweepConfig, GridChoosesAndOrdersParts) {
  const SweepConfig config =
      config_of(changed("grid:\n", "grid:\n  bases: [qwen]\n  mixes: [both, tulu]\n"));
  ASSERT_EQ(config.bases.size(), 1u);
  EXPECT_EQ(config.bases[0].card.key, "qwen");
  EXPECT_EQ(config.mixes[0].card.key, "both");
}

TEST(SweepConfig, ErrorsNameThePlaceAndTheNearestName) {
  EXPECT_EQ(error_of(changed("common:", "comon:")),
            "sweep.yaml: unknown key \"comon\"; did you mean common?");
  EXPECT_EQ(error_of(changed("  learning-rate:", "  learning-rat:")),
            "sweep.yaml: grid: unknown option \"learning-rat\"; did you mean learning-rate?");
  EXPECT_EQ(
      error_of(changed("{train-batch-size: 4}", "{train-batch-sise: 4}")),
      "sweep.yaml: common: unknown option \"train-batch-sise\"; did you mean train-batch-size?");
  EXPECT_EQ(error_of(changed("{train-batch-size: 4}", "{output-dir: x}")),
            "sweep.yaml: common: key \"output-dir\": the sweep sets this option itself");
  EXPECT_EQ(error_of(changed("hub_name: org/qwen", "hubname: org/qwen")),
            "sweep.yaml: bases: qwen: unknown key \"hubname\"; did you mean hub_name?");
  EXPECT_EQ(error_of(changed("grid:\n", "grid:\n  bases: [smal]\n")),
            "sweep.yaml: grid: bases: unknown name \"smal\"; did you mean smol?");
  EXPECT_EQ(error_of(changed("[1, 2]", "[1, 1]")), "sweep.yaml: grid: num-epochs: 1 given twice");
  EXPECT_EQ(error_of(changed("[1, 2]", "[]")),
            "sweep.yaml: grid: num-epochs: expected at least one value");
  EXPECT_EQ(error_of(changed("[1, 2]", "[[1]]")),
            "sweep.yaml: grid: num-epochs: expected plain values, got [1]");
  EXPECT_EQ(error_of(changed("{train-batch-size: 4}", "{num-epochs: 4}")),
            "sweep.yaml: grid: num-epochs: also under \"common\", expected one of both");
  EXPECT_EQ(error_of(changed("  smol:", "  ../x:")),
            "sweep.yaml: bases: key \"../x\": expected letters, digits, '.', '_' and '-'");
  EXPECT_EQ(error_of(changed("data: rb2.jsonl, ", "")),
            "sweep.yaml: evaluate: no data, expected files");
  EXPECT_EQ(error_of("mixes: {}"), "sweep.yaml: no bases, expected at least one");
  EXPECT_EQ(error_of("bases: {}"), "sweep.yaml: no bases, expected at least one");
  EXPECT_EQ(error_of(changed("{hub_name: org/qwen}", "{title: x}")),
            "sweep.yaml: bases: qwen: no model, expected a name or directory");
  EXPECT_EQ(error_of(changed("benchmark: reward-bench-2, ", "")),
            "sweep.yaml: evaluate: no benchmark, expected a name that laurel eval knows");
}

std::vector<std::string> names_of(const std::vector<Point>& points) {
  std::vector<std::string> names;
  for (const Point& point : points) names.push_back(point.name);
  return names;
}

TEST(SweepGrid, PointsInOrderWithTheirOptions) {
  const std::vector<Point> points = make_points(config_of(kText));
  ASSERT_EQ(points.size(), 16u);
  EXPECT_EQ(points[0].name, "smol-tulu-lr1e-6-ep1");
  EXPECT_EQ(points[1].name, "smol-tulu-lr1e-6-ep2");
  EXPECT_EQ(points[2].name, "smol-tulu-lr3e-6-ep1");
  EXPECT_EQ(points[15].name, "qwen-both-lr3e-6-ep2");
  EXPECT_EQ(to_line(points[2].options),
            R"({"train-batch-size":4,"learning-rate":3e-06,"num-epochs":1})");
  EXPECT_EQ(names_of(points), names_of(make_points(config_of(kText))));
}

TEST(SweepGrid, NamesAreFileNamesAndDiffer) {
  const SweepConfig config =
      config_of(changed("  num-epochs: [1, 2]", "  lr-scheduler-type: [a/b, a_b]"));
  EXPECT_THAT(error_text<UserError>([&] { make_points(config); }),
              HasSubstr("smol-tulu-lr1e-6-lr-scheduler-type=a_b: expected names that differ"));
}

std::size_t num_runs(const std::string& text) {
  std::vector<Point> points = make_points(config_of(text));
  return plan_runs(points, "linear").size();
}

TEST(SweepGrid, EpochsShareARunWhereStepsAreTheSame) {
  EXPECT_EQ(num_runs(kText), 16u);  // linear
  std::vector<Point> points =
      make_points(config_of(changed("size: 4", "size: 4, lr-scheduler-type: constant")));
  const std::vector<TrainingRun> runs = plan_runs(points, "linear");
  ASSERT_EQ(runs.size(), 8u);
  EXPECT_EQ(runs[0].name, "smol-tulu-lr1e-6-ep2");
  EXPECT_EQ(runs[0].options["num-epochs"], 2);
  EXPECT_EQ(runs[0].options["export-epochs"], true);
  EXPECT_EQ(points[0].run, "smol-tulu-lr1e-6-ep2");
  EXPECT_EQ(points[0].model, "runs/smol-tulu-lr1e-6-ep2/epoch-1");
  EXPECT_EQ(points[1].model, "runs/smol-tulu-lr1e-6-ep2");
}

TEST(SweepGrid, EpochsDoNotShareWhereStepsDiffer) {
  for (const char* more : {", warmup-ratio: 0.1", ", max-steps: 10"}) {
    EXPECT_EQ(
        num_runs(changed("size: 4", std::string("size: 4, lr-scheduler-type: constant") + more)),
        16u);
  }
  EXPECT_EQ(num_runs(changed("size: 4", "size: 4, lr-scheduler-type: constant, warmup-ratio: 0")),
            8u);
  EXPECT_EQ(
      num_runs(changed("[1, 2]\ncommon: {", "[1, .5]\ncommon: {lr-scheduler-type: constant, ")),
      16u);
}

TEST(SweepGrid, ValuesAsPeopleWriteThem) {
  EXPECT_EQ(value_text(3e-6), "3e-6");
  EXPECT_EQ(value_text(1e-10), "1e-10");
  EXPECT_EQ(value_text(1e-4), "1e-4");
  EXPECT_EQ(value_text(2.5e-5), "2.5e-5");
  EXPECT_EQ(value_text(0.0), "0");
  EXPECT_EQ(value_text(0.1), "0.1");
  EXPECT_EQ(value_text(2), "2");
  EXPECT_EQ(value_text("a b"), "a b");
  EXPECT_EQ(value_text(true), "true");
}

class RecordsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / fmt::format("laurel_records_{}", ::getpid());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_;
};

TEST_F(RecordsTest, PointsAndJobsSurviveReopening) {
  Records(folder_, false).synchronize(config_of(kText), "linear");
  Records records(folder_, true);
  EXPECT_EQ(records.points().size(), 16u);
  EXPECT_EQ(records.jobs().size(), 32u);
  EXPECT_EQ(records.points()[15].point.name, "qwen-both-lr3e-6-ep2");
  EXPECT_EQ(records.points()[15].status, JobStatus::kQueued);
  EXPECT_EQ(to_line(records.config()["card"]), R"({"summary":"Small ones."})");
}

TEST_F(RecordsTest, EvaluationWaitsForItsTraining) {
  Records records(folder_, false);
  records.synchronize(config_of(kText), "linear");
  const Job first = *records.next_job();
  EXPECT_EQ(first.name, "train/smol-tulu-lr1e-6-ep1");
  records.set_running(first.name);
  records.set_pid(first.name, 77);
  EXPECT_EQ(records.next_job()->name, "train/smol-tulu-lr1e-6-ep2");
  EXPECT_EQ(records.points()[0].status, JobStatus::kRunning);
  records.set_finished(first.name, 2.5);
  const Job second = *records.next_job();
  EXPECT_EQ(second.name, "evaluate/smol-tulu-lr1e-6-ep1");
  EXPECT_EQ(second.options["max-length"], 512);
  records.set_evaluated(second.name, second.target, {0.5, {{"Math", 0.25}}}, 1);
  const PointRecord point = records.points()[0];
  EXPECT_EQ(point.status, JobStatus::kFinished);
  EXPECT_EQ(point.attempts, 1);
  EXPECT_EQ(point.figures->overall, 0.5);
  EXPECT_EQ(point.figures->subsets[0].second, 0.25);
}

TEST_F(RecordsTest, FailuresAreRetriedOnRequest) {
  Records records(folder_, false);
  records.synchronize(config_of(kText), "linear");
  const std::string job = records.next_job()->name;
  records.set_failed(job, "loss is NaN", 1);
  EXPECT_EQ(records.points()[0].error, "loss is NaN");
  EXPECT_EQ(records.points()[0].failed_job, job);
  EXPECT_NE(records.next_job()->name, job);
  EXPECT_THAT(status_text(folder_, records, 1),
              AllOf(HasSubstr("16 points: 0 finished, 0 running, 15 queued, 1 failed"),
                    HasSubstr("failed: train/smol-tulu-lr1e-6-ep1: loss is NaN\n  log: "),
                    HasSubstr("logs/train-smol-tulu-lr1e-6-ep1.log")));
  records.retry_failed();
  EXPECT_EQ(records.next_job()->name, job);
}

TEST_F(RecordsTest, GridMayGrowAndShrink) {
  Records records(folder_, false);
  records.synchronize(config_of(kText), "linear");
  records.set_running("train/smol-tulu-lr1e-6-ep1");
  records.set_finished("train/smol-tulu-lr1e-6-ep1", 1);
  records.synchronize(config_of(changed("[1e-6, 3e-6]", "[2e-5, 3e-6]")), "linear");
  const std::vector<PointRecord> points = records.points();
  ASSERT_EQ(points.size(), 17u);  // the finished one stays
  EXPECT_EQ(points[0].point.name, "smol-tulu-lr2e-5-ep1");
  EXPECT_EQ(points[16].point.name, "smol-tulu-lr1e-6-ep1");
  EXPECT_EQ(records.jobs().size(), 34u);
}

TEST_F(RecordsTest, OtherOptionsUnderTheSameNameAreRefused) {
  Records records(folder_, false);
  records.synchronize(config_of(kText), "linear");
  EXPECT_THAT(error_text<UserError>(
                  [&] { records.synchronize(config_of(changed("size: 4", "size: 8")), "linear"); }),
              AllOf(HasSubstr("point smol-tulu-lr1e-6-ep1: options changed"),
                    HasSubstr("use another output directory")));
  EXPECT_EQ(records.points().size(), 16u);
}

TEST_F(RecordsTest, OneSweepAtATime) {
  {
    const DirectoryLock lock(folder_);
    EXPECT_THAT(error_text<UserError>([&] { DirectoryLock second(folder_); }),
                HasSubstr("another laurel sweep works here"));
  }
  const DirectoryLock again(folder_);
}

TEST_F(RecordsTest, RefusesWhatIsNoRecord) {
  EXPECT_THAT(error_text<UserError>([&] { Records(folder_, true); }), HasSubstr("no such file"));
  write_file(folder_ / "sweep.db", std::string(4096, 'x'));
  EXPECT_THAT(error_text<UserError>([&] { Records(folder_, true); }), HasSubstr("not a database"));
}

std::vector<PointRecord> scored_points() {
  std::vector<PointRecord> points(3);
  for (int i = 0; i < 3; ++i) {
    points[i].point.name = std::string(1, static_cast<char>('a' + i));
    points[i].point.base = "x,\"y\"";
    points[i].point.mix = "m|n";
    points[i].point.axes = {{"learning-rate", 3e-6}};
    points[i].status = i == 2 ? JobStatus::kFailed : JobStatus::kFinished;
  }
  points[0].figures = Figures{0.5, {{"Math", 0.75}}};
  points[1].figures = Figures{0.625, {{"Math", 0.25}}};
  return points;
}

TEST(SweepTable, RankedInEveryFormat) {
  const std::vector<PointRecord> points = scored_points();
  EXPECT_EQ(points_table(points, TableFormat::kText, "overall"),
            "point  base   mix  learning-rate  status    overall  Math\n"
            "b      x,\"y\"  m|n  3e-6           finished  62.5     25.0\n"
            "a      x,\"y\"  m|n  3e-6           finished  50.0     75.0\n"
            "c      x,\"y\"  m|n  3e-6           failed\n");
  EXPECT_THAT(points_table(points, TableFormat::kCsv, "Math"),
              HasSubstr("Math\na,\"x,\"\"y\"\"\",m|n,3e-6,finished,50.0,75.0\nb,"));
  EXPECT_THAT(points_table(points, TableFormat::kMarkdown, "grid"),
              HasSubstr("|---|---|---|---|---|---|---|\n| a | x,\"y\" | m\\|n | 3e-6 |"));
  const Json json = parse_json(points_table(points, TableFormat::kJson, "overall"), "x");
  EXPECT_EQ(json[0]["point"], "b");
  EXPECT_EQ(json[0]["overall"], 0.625);
  EXPECT_TRUE(json[2]["overall"].is_null());
}

TEST(SweepTable, UnknownSortIsRefused) {
  EXPECT_EQ(
      error_text<UserError>([] { points_table(scored_points(), TableFormat::kText, "Meth"); }),
      "--sort: expected grid, overall or one of Math, got Meth");
}

}  // namespace
}  // namespace laurel::sweep
