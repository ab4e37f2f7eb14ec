#include "laurel/train/schedule.h"

#include <gtest/gtest.h>

#include <vector>

#include "laurel/base/error.h"
#include "laurel/base/test_support.h"

namespace laurel::train {
namespace {

std::vector<double> rates(const ScheduleOptions& options, const RunLength& length) {
  const Schedule schedule(options, length);
  std::vector<double> result;
  for (std::int64_t step = 1; step <= num_steps(length); ++step) {
    result.push_back(schedule.learning_rate(step));
  }
  return result;
}

void expect_near(const std::vector<double>& actual, const std::vector<double>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 1e-15) << i;
}

constexpr RunLength kTenSteps = {.num_examples = 20, .batch_size = 4, .num_epochs = 2};

// get_scheduler(name, optimizer, num_warmup_steps, 10) of transformers 4.57.6 with lr 1: the rate
// before each of the ten steps.
TEST(Schedule, RatesOfTransformers) {
  expect_near(rates({.learning_rate = 1}, kTenSteps), {1, .9, .8, .7, .6, .5, .4, .3, .2, .1});
  expect_near(rates({.learning_rate = 1, .warmup_steps = 5}, kTenSteps),
              {0, .2, .4, .6, .8, 1, .8, .6, .4, .2});
  expect_near(rates({ScheduleKind::kConstant, 1, 4}, kTenSteps),
              {0, .25, .5, .75, 1, 1, 1, 1, 1, 1});
  expect_near(
      rates({.kind = ScheduleKind::kCosine, .learning_rate = 1, .warmup_ratio = 0.15}, kTenSteps),
      {0, 0.5, 1, 0.9619397662556434, 0.8535533905932737, 0.6913417161825449, 0.5,
       0.3086582838174551, 0.14644660940672627, 0.03806023374435663});
}

TEST(Schedule, StepsAreCountedWithTheSmallerLastBatch) {
  EXPECT_EQ(steps_per_epoch({.num_examples = 9, .batch_size = 4}), 3);
  EXPECT_EQ(num_steps({.num_examples = 9, .batch_size = 4, .num_epochs = 3}), 9);
  EXPECT_EQ(num_steps({.num_examples = 8, .batch_size = 4, .num_epochs = 3}), 6);
  EXPECT_EQ(num_steps({.num_examples = 1, .batch_size = 4}), 1);
  EXPECT_EQ(num_steps({.num_examples = 8, .batch_size = 4, .num_epochs = 3, .max_steps = 7}), 7);
}

TEST(Schedule, OpenInstructCountsEpochsTwice) {
  for (const std::int64_t epochs : {1, 2, 3}) {
    const RunLength length = {.num_examples = 400, .batch_size = 4, .num_epochs = epochs};
    const Schedule schedule({.learning_rate = 1, .like_open_instruct = true}, length);
    const double after_last = schedule.learning_rate(num_steps(length) + 1);
    EXPECT_NEAR(after_last, 1 - 1.0 / static_cast<double>(epochs), 1e-15);
  }
}

TEST(Schedule, RatesNeverTurnNegative) {
  const RunLength length = {.num_examples = 9, .batch_size = 4, .num_epochs = 1};
  // open-instruct rounds the steps down: the third step is beyond the decay's end
  expect_near(rates({.learning_rate = 1, .like_open_instruct = true}, length), {1, .5, 0});
  const Schedule longer({.learning_rate = 1, .warmup_steps = 50}, length);
  EXPECT_GT(longer.learning_rate(3), 0);
}

TEST(Schedule, BadValuesNameTheOption) {
  EXPECT_EQ(error_text<UserError>([] { Schedule({.learning_rate = -1}, kTenSteps); }),
            "option learning-rate: out of range, expected 0 or more, got -1");
  EXPECT_EQ(error_text<UserError>([] { Schedule({.warmup_ratio = 2}, kTenSteps); }),
            "option warmup-ratio: out of range, expected 0 to 1, got 2");
  EXPECT_EQ(error_text<UserError>([] { Schedule({.warmup_steps = -2}, kTenSteps); }),
            "option warmup-steps: out of range, expected 0 or more, got -2");
  EXPECT_EQ(error_text<UserError>([] { num_steps({.num_examples = 0, .batch_size = 1}); }),
            "number of training examples: expected 1 or more, got 0");
  EXPECT_EQ(error_text<UserError>(
                [] { num_steps({.num_examples = 1, .batch_size = 1, .num_epochs = 0}); }),
            "option num-epochs: expected 1 or more, got 0");
}

}  // namespace
}  // namespace laurel::train
