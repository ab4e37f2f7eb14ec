// The training page: what it shows of a run in any state, and that nothing from outside is markup.
#include "laurel/report/training_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/base/test_support.h"
#include "laurel/report/curves.h"
#include "laurel/report/json_table.h"

namespace laurel::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kEvil = "<script>alert('x')</script>";

TrainingReportInput plain_input() {
  TrainingReportInput input;
  input.name = "run-7";
  input.record =
      schema::run_record_from_json(parse_json(R"({"status": "finished", "epochs": 2, "steps": 40,
      "options": {"learning_rate": 2e-05, "train_batch_size": 8, "data": ["mix 1.0"]},
      "machine": {"isa": "avx2", "num_threads": 2, "peak_memory_bytes": 1500000000},
      "evaluations": [{"step": 0, "benchmark": "held-out", "overall": 0.5, "loss": 0.7},
                      {"step": 0, "benchmark": "reward-bench-2", "overall": 0.25, "subsets": {"Math": 0.2}},
                      {"step": 40, "benchmark": "held-out", "overall": 0.812, "loss": 0.4},
                      {"step": 40, "benchmark": "reward-bench-2", "overall": 0.75,
                       "subsets": {"Math": 0.9, "New": 0.1}}]})",
                                              "run.json"),
                                   "run.json");
  input.data_summary =
      parse_json(R"({"sources": [{"name": "hh", "rows": 1234, "dropped": {"too_long": 5}}],
      "lengths": {"shared_prefix": {"median": 77}}, "histogram": [{"up_to": 64, "sequences": 3}, {"sequences": 9}]})",
                 "data_summary.json");
  for (int i = 1; i <= 40; ++i) {
    schema::StepMetrics step;
    step.step = i;
    step.loss = 0.7 - 0.005 * i;
    step.accuracy = 0.625;
    step.chosen_reward = 0.1 * i;
    step.rejected_reward = -0.1 * i;
    step.num_tokens = 1000;
    step.computed_tokens = 500;
    step.padded_tokens = 2000;
    step.seconds = 0.5;
    input.steps.push_back(step);
  }
  return input;
}

TEST(TrainingReport, HoldsWhatTheRunHolds) {
  const std::string html = training_report(plain_input());
  for (const char* text : {"run-7",
                           "81.2",
                           "62.5",
                           "0.5475",
                           "2,000",
                           "75.0 %",
                           "20.0 → 90.0  (+70.0)",
                           "25.0 → 75.0  (+50.0)",
                           "reward-bench-2: step 0 against step 40",
                           "step 40: 0.812",
                           "hh",
                           "1,234",
                           "Dropped: too long",
                           "5 of hh",
                           "shared prefix",
                           "77",
                           "≤ 64",
                           "learning rate",
                           "mix 1.0",
                           "avx2, 2 threads",
                           "1.5 GB"}) {
    EXPECT_THAT(html, HasSubstr(text));
  }
  EXPECT_THAT(html, Not(HasSubstr("not finished")));
  EXPECT_THAT(html, Not(HasSubstr("held-out: step")));  // a curve shows them
  EXPECT_THAT(html, Not(HasSubstr("Gradient norm")));   // no step has one
  EXPECT_THAT(html, Not(HasSubstr("nan")));
  EXPECT_EQ(html, training_report(plain_input()));
}

TEST(TrainingReport, FetchesNothing) {
  const std::string html = training_report(plain_input());
  for (const char* word : {"http:", "https:", "src=", "url(", "@import", "<link", "<script"}) {
    EXPECT_THAT(html, Not(HasSubstr(word)));
  }
}

TEST(TrainingReport, NoTextFromOutsideBecomesMarkup) {
  TrainingReportInput input = plain_input();
  input.name = kEvil;
  input.record->options = {{kEvil, kEvil}};
  input.record->base = {kEvil, kEvil, kEvil, kEvil, 1, kEvil};
  input.record->data = {{kEvil, 1, kEvil}};
  input.record->status = schema::RunStatus::kFailed;
  input.record->error = kEvil;
  input.record->evaluations = {{0, kEvil, 0.1, {{kEvil, 0.1}}, {}},
                               {9, kEvil, 0.1, {{kEvil, 0.1}}, {}}};
  input.data_summary["sources"] = {{{kEvil, kEvil}}};
  EXPECT_THAT(training_report(input), Not(HasSubstr("<script")));
}

TEST(TrainingReport, AnUnfinishedRunIsShownSoFar) {
  TrainingReportInput input = plain_input();
  input.record->status = schema::RunStatus::kRunning;
  input.record->evaluations.clear();
  const std::string html = training_report(input);
  EXPECT_THAT(html, HasSubstr("The run is not finished"));
  EXPECT_THAT(html, Not(HasSubstr("held-out")));
}

TEST(TrainingReport, PartsThatAreMissingOrOfOtherShapesDoNotBreakIt) {
  TrainingReportInput input;
  input.name = "empty";
  EXPECT_THAT(training_report(input), HasSubstr("empty"));
  input.data_summary = {{"sources", {1, 2}}, {"histogram", {1, "x"}}, {"lengths", 3}};
  input.steps.resize(1);
  input.steps[0].step = 1;
  input.steps[0].loss = 0.5;
  EXPECT_THAT(training_report(input), Not(HasSubstr("nan")));
}

TEST(TrainingFiles, ReadsARunThatIsGoingOn) {
  const std::filesystem::path directory = ::testing::TempDir() + "laurel_training_run";
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  EXPECT_THAT(error_text<UserError>([&] { read_training_run(directory); }),
              HasSubstr("not a training run, expected run.json or metrics.jsonl"));
  std::ofstream(directory / "metrics.jsonl") << "{\"step\":1,\"loss\":0.7}\n{\"step\":2,\"lo";
  TrainingReportInput input = read_training_run(directory / "");
  EXPECT_EQ(input.name, "laurel_training_run");
  ASSERT_EQ(input.steps.size(), 1u);  // the second line is not whole
  EXPECT_EQ(input.steps[0].loss, 0.7);
  EXPECT_FALSE(input.record);
  std::ofstream(directory / "metrics.jsonl") << "{\"step\":1}\n{\"step\":\n";
  EXPECT_THAT(error_text<UserError>([&] { read_training_run(directory); }),
              HasSubstr("metrics.jsonl:2: invalid JSON"));
}

TEST(Curves, MovingMeanIsCenteredAndNarrowsAtTheEnds) {
  std::vector<CurvePoint> line;
  for (int i = 0; i < 200; ++i) line.push_back({1.0 * i, 3.0 * i});
  std::vector<CurvePoint> mean = moving_mean(line);
  ASSERT_EQ(mean.size(), line.size());
  for (std::size_t i = 5; i < 195; ++i) EXPECT_NEAR(mean[i].y, line[i].y, 1e-9);
  EXPECT_NEAR(mean[0].y, 3 * 2.5, 1e-9);      // of 0 … 5
  EXPECT_NEAR(mean[199].y, 3 * 196.5, 1e-9);  // of 194 … 199
  line[100].y += 110;
  EXPECT_NEAR(moving_mean(line)[100].y, 300 + 10, 1e-9);  // one of 11
}

TEST(Curves, ThinningLosesNoSpike) {
  std::vector<CurvePoint> points;
  for (int i = 0; i < 10'000; ++i)
    points.push_back({1.0 * i, i == 7777 ? 50.0 : i == 1234 ? -50.0 : 1.0});
  const std::vector<CurvePoint> thin = thinned(points, 100);
  EXPECT_LE(thin.size(), 100u);
  const auto has = [&](double y) {
    return std::any_of(thin.begin(), thin.end(), [&](const CurvePoint& p) { return p.y == y; });
  };
  EXPECT_TRUE(has(50) && has(-50));
  const auto by_x = [](const CurvePoint& a, const CurvePoint& b) { return a.x < b.x; };
  EXPECT_TRUE(std::is_sorted(thin.begin(), thin.end(), by_x));
}

TEST(Curves, NothingAndNoNumbersGiveNoPicture) {
  CurveChart chart;
  EXPECT_EQ(curve_chart(chart), "");
  chart.series = {{"bar", {{1, std::nan("")}, {2, HUGE_VAL}}}};
  EXPECT_EQ(curve_chart(chart), "");
  chart.series = {{"bar", {{1, 2}}}};  // one point
  EXPECT_THAT(curve_chart(chart), Not(HasSubstr("nan")));
}

TEST(JsonTable, ValuesAsPeopleWriteThem) {
  const Json value = {{"a_b", 12345},
                      {"inner", {{"c", true}, {"d", 0.5}}},
                      {"e", {1, "x"}},
                      {"f", nullptr},
                      {"g", {{{"h", 1}}}}};
  EXPECT_EQ(fact_rows(value),
            "<tr><td class=\"key\">a b</td><td>12,345</td></tr>\n"
            "<tr><td class=\"key\">inner · c</td><td>yes</td></tr>\n"
            "<tr><td class=\"key\">inner · d</td><td>0.5</td></tr>\n"
            "<tr><td class=\"key\">e</td><td>1, x</td></tr>\n");
  EXPECT_EQ(object_table({{{"a", 1}}, {{"b", "x"}}}),
            "<table>\n<tr><th class=\"n\">a</th><th>b</th></tr>\n"
            "<tr><td class=\"n\">1</td><td></td></tr>\n<tr><td></td><td>x</td></tr>\n</table>\n");
}

}  // namespace
}  // namespace laurel::report
