#include "laurel/train/step_log.h"

#include <gtest/gtest.h>

#include "laurel/train/run_directory.h"
#include "laurel/train/test_support.h"

namespace laurel::train {
namespace {

schema::StepMetrics metrics_at(std::int64_t step) {
  schema::StepMetrics metrics;
  metrics.step = step;
  metrics.loss = 0.5;
  metrics.accuracy = 0.75;
  metrics.margin = 0.25;
  metrics.learning_rate = 1e-5;
  metrics.grad_norm = 2;
  metrics.tokens_per_second = 1234.4;
  return metrics;
}

TEST(StepLog, ALineAStepWithHeldOutFiguresWhereMeasured) {
  const TestFolder folder;
  StepLog log(folder.path(), {.num_steps = 2, .logging_steps = 0});
  ObjectiveSums held_out;
  held_out.num_examples = 4;
  held_out.loss = 2;
  held_out.accuracy = 3;
  held_out.chosen_reward = 6;
  held_out.rejected_reward = 2;
  log.write(metrics_at(1), nullptr);
  const Json line = log.write(metrics_at(2), &held_out);
  EXPECT_EQ(line["eval_loss"], 0.5);
  EXPECT_EQ(line["eval_accuracy"], 0.75);
  EXPECT_EQ(line["eval_margin"], 1.0);
  const std::string text = read_file(folder / "metrics.jsonl");
  EXPECT_EQ(text.substr(text.find('\n') + 1), to_line(line) + "\n");
  EXPECT_EQ(text.find("eval_"), text.find("eval_", text.find('\n')));
}

TEST(StepLog, AResumedRunWritesItsStepsOnce) {
  const TestFolder folder;
  const auto file = folder / "metrics.jsonl";
  std::string whole;
  {
    StepLog log(folder.path(), {.num_steps = 5, .logging_steps = 0});
    for (std::int64_t step = 1; step <= 5; ++step) log.write(metrics_at(step), nullptr);
    whole = read_file(file);
  }
  cut_metrics(file, 3);
  StepLog log(folder.path(), {.num_steps = 5, .first_step = 4, .logging_steps = 0});
  for (std::int64_t step = 4; step <= 5; ++step) log.write(metrics_at(step), nullptr);
  EXPECT_EQ(read_file(file), whole);
}

TEST(StepLog, TheProgressLineSaysWhatCounts) {
  EXPECT_EQ(progress_text(metrics_at(1200), 4800, 90),
            "step 1,200/4,800: loss 0.5000, accuracy 0.750, margin 0.250, lr 1e-05, grad norm 2, "
            "1,234 tokens/s, 1 min 30 s left");
  EXPECT_EQ(progress_text(metrics_at(4800), 4800, 0).find("left"), std::string::npos);
}

}  // namespace
}  // namespace laurel::train
