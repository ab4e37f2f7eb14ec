#include "laurel/schema/benchmark_result.h"

#include <gtest/gtest.h>

namespace laurel::schema {
namespace {

BenchmarkResult small_result() {
  BenchmarkResult result;
  result.benchmark = "reward-bench-2";
  result.model.name = "org/name";
  result.overall = {"Overall", 0.625, 2, Interval{0.5, 0.75}};
  result.groups = {
      {"subsets", "Subsets", {{"Math", 0.25, 1, std::nullopt}, {"Ties", 1.0, 1, Interval{1, 1}}}}};
  result.measures = {{"ties_margin", "Ties margin", 0.125}};
  result.examples.resize(2);
  return result;
}

TEST(BenchmarkResult, SummaryHoldsOverallAndEveryPartByName) {
  const Json json = summary_json(small_result());
  EXPECT_EQ(json["overall"], 0.625);
  EXPECT_EQ(json["Math"], 0.25);
  EXPECT_EQ(json["Ties"], 1.0);
  EXPECT_EQ(json["subsets"]["Math"]["count"], 1);
  EXPECT_TRUE(json["subsets"]["Math"]["interval_95"].is_null());
  EXPECT_EQ(to_line(json["overall_interval_95"]), "[0.5,0.75]");
  EXPECT_EQ(json["measures"]["ties_margin"], 0.125);
  EXPECT_FALSE(json.contains("missing"));
  EXPECT_TRUE(json["rule"].is_null());
  EXPECT_TRUE(json["run"].is_null());
}

TEST(BenchmarkResult, OverallIsNullWhenPartsAreMissing) {
  BenchmarkResult result = small_result();
  result.missing = {"Safety"};
  const Json json = summary_json(result);
  EXPECT_TRUE(json["overall"].is_null());
  EXPECT_TRUE(json["overall_interval_95"].is_null());
  EXPECT_EQ(json["mean_of_present"], 0.625);
  EXPECT_EQ(to_line(json["missing"]), R"(["Safety"])");
}

TEST(BenchmarkResult, FiguresNeverReplaceOtherMembers) {
  BenchmarkResult result = small_result();
  result.groups.push_back({"styles",
                           "Styles",
                           {{"easy", 0.75, 1, std::nullopt},
                            {"overall", 0.1, 1, std::nullopt},
                            {"rule", 0.1, 1, std::nullopt}}});
  const Json json = summary_json(result);
  EXPECT_EQ(json["easy"], 0.75);
  EXPECT_EQ(json["overall"], 0.625);
  EXPECT_TRUE(json["rule"].is_null());
}

TEST(BenchmarkResult, ExampleLine) {
  ScoredExample example;
  example.id = "tied:3";
  example.subset = "Ties";
  example.num_correct = 2;
  example.scores = {1.5, 0.25, -1};
  example.result = 1;
  EXPECT_EQ(
      to_line(to_json(example)),
      R"({"id":"tied:3","subset":"Ties","num_correct":2,"scores":[1.5,0.25,-1.0],"results":1.0})");
  example.num_tokens = {5, 6, 7};
  example.num_truncated = 1;
  EXPECT_EQ(to_line(to_json(example)["num_tokens"]), "[5,6,7]");
  EXPECT_EQ(to_json(example)["num_truncated"], 1);
}

TEST(BenchmarkResult, ModelAndRunFacts) {
  ModelInfo model;
  model.name = "m";
  EXPECT_TRUE(to_json(model)["adapter"].is_null());
  model.adapter = "a";
  EXPECT_EQ(to_json(model)["adapter"], "a");
  EXPECT_EQ(to_line(to_json(RunFacts{2, 10, 7, 0.5})),
            R"({"num_conversations":2,"sequence_tokens":10,"physical_tokens":7,"seconds":0.5})");
}

}  // namespace
}  // namespace laurel::schema
