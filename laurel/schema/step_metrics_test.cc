#include "laurel/schema/step_metrics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "laurel/base/error.h"
#include "laurel/base/test_support.h"

namespace laurel::schema {
namespace {

TEST(StepMetrics, ALineReadsBackAsItWasWritten) {
  StepMetrics metrics;
  metrics.step = 17;
  metrics.loss = 0.1 + 0.2;
  metrics.grad_norm = HUGE_VAL;
  metrics.num_tokens = std::int64_t{1} << 40;
  const std::string line = to_line(to_json(metrics));
  EXPECT_EQ(line.substr(0, 50), R"({"step":17,"epoch":null,"loss":0.30000000000000004)");
  const StepMetrics read = parse_step_metrics(parse_json(line, "line"), "line");
  EXPECT_EQ(read.step, 17);
  EXPECT_EQ(read.loss, metrics.loss);
  EXPECT_EQ(read.num_tokens, metrics.num_tokens);
  EXPECT_TRUE(std::isnan(read.grad_norm));  // no number in JSON
  EXPECT_TRUE(std::isnan(read.accuracy));
  EXPECT_EQ(to_line(to_json(read)), line);
}

TEST(StepMetrics, OtherKeysAreIgnored) {
  EXPECT_EQ(parse_step_metrics(Json{{"step", 3}, {"note", "x"}}, "m.jsonl:3").step, 3);
}

TEST(StepMetrics, WrongLinesAreNamed) {
  const auto parse = [](const Json& json) { parse_step_metrics(json, "m.jsonl:3"); };
  EXPECT_EQ(error_text<UserError>([&] {
              parse({{"loss", 1}});
            }),
            "m.jsonl:3: expected a step's metrics with the key \"step\"");
  EXPECT_EQ(error_text<UserError>([&] {
              parse({{"step", 1}, {"loss", "low"}});
            }),
            "m.jsonl:3: key \"loss\": expected a number, got \"low\"");
}

}  // namespace
}  // namespace laurel::schema
