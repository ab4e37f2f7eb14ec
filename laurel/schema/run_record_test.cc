#include "laurel/schema/run_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "laurel/base/error.h"
#include "laurel/base/test_support.h"

namespace laurel::schema {
namespace {

using ::testing::HasSubstr;

RunRecord full_record() {
  RunRecord record;
  record.laurel_version = "0.1.0";
  record.status = RunStatus::kFailed;
  record.error = "loss is NaN";
  record.options = {{"learning-rate", "3e-6"}, {"num-epochs", "2"}};
  record.base = {"org/base", "main", "ab12", "LlamaForCausalLM", 135'000'000, "apache-2.0"};
  record.data = {{"a.jsonl", 120, "odc-by"}, {"b.jsonl", 7, ""}};
  record.steps = 42;
  record.epochs = 1.5;
  record.seconds = 12.25;
  record.tokens = 9'000;
  record.machine = {"avx2", 2, 1 << 20};
  record.final = {{"loss", 0.5}};
  record.evaluations = {{42, "reward-bench-2", 0.5, {{"Math", 0.25}, {"Focus", 0.75}}, {}},
                        {42, std::string(kHeldOut), 0.75, {}, 0.25}};
  return record;
}

TEST(RunRecord, ReadsBackWhatItWrote) {
  const Json json = to_json(full_record());
  const RunRecord read = run_record_from_json(parse_json(to_text(json), "x"), "run.json");
  EXPECT_EQ(to_line(to_json(read)), to_line(json));
  EXPECT_EQ(read.status, RunStatus::kFailed);
  EXPECT_EQ(read.base.num_parameters, 135'000'000);
  EXPECT_EQ(read.data[1].num_rows, 7);
  EXPECT_EQ(read.evaluations[0].subsets[1].first, "Focus");
  EXPECT_EQ(read.evaluations[1].loss, 0.25);
}

TEST(RunRecord, EveryStatusHasAName) {
  for (const RunStatus status :
       {RunStatus::kRunning, RunStatus::kStopped, RunStatus::kFinished, RunStatus::kFailed}) {
    RunRecord record;
    record.status = status;
    EXPECT_EQ(run_record_from_json(to_json(record), "run.json").status, status);
  }
}

TEST(RunRecord, MissingAndUnknownMembersAreFine) {
  const RunRecord record = run_record_from_json(
      parse_json(R"({"steps": 3, "later": [1], "base": {"name": "b", "license": null}})", "x"),
      "run.json");
  EXPECT_EQ(record.steps, 3);
  EXPECT_EQ(record.base.name, "b");
  EXPECT_EQ(record.base.license, "");
  EXPECT_EQ(record.status, RunStatus::kRunning);
}

TEST(RunRecord, ErrorsNameThePlace) {
  const auto error_of = [](const char* text) {
    return error_text<UserError>([&] { run_record_from_json(parse_json(text, "x"), "run.json"); });
  };
  EXPECT_THAT(error_of("[]"), HasSubstr("run.json: expected an object"));
  EXPECT_THAT(error_of(R"({"steps": "3"})"), HasSubstr("run.json: key \"steps\": expected an int"));
  EXPECT_THAT(error_of(R"({"status": "done"})"), HasSubstr("got \"done\""));
  EXPECT_THAT(error_of(R"({"data": {}})"), HasSubstr("\"data\": expected an array"));
  EXPECT_THAT(error_of(R"({"data": [{"rows": true}]})"),
              HasSubstr("run.json: data[0]: key \"rows\""));
  EXPECT_THAT(error_of(R"({"evaluations": [{"subsets": {"Math": "x"}}]})"),
              HasSubstr("evaluations[0]: subsets: key \"Math\""));
}

}  // namespace
}  // namespace laurel::schema
