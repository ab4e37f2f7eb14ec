#include "laurel/train/loss.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "laurel/base/error.h"
#include "laurel/base/test_support.h"

namespace laurel::train {
namespace {

double loss_of(const std::vector<double>& rewards, const LossOptions& options = {},
               double margin = 0) {
  std::vector<double> gradient(rewards.size());
  return example_loss(rewards, margin, options, gradient);
}

// Values computed with 50 decimal digits.
TEST(Loss, KnownValues) {
  constexpr double kTolerance = 1e-14;
  EXPECT_NEAR(loss_of({1, 0}), 0.313261687518223, kTolerance);
  EXPECT_NEAR(loss_of({1, 0}, {}, 0.5), 0.474076984180107, kTolerance);
  EXPECT_NEAR(loss_of({0, 0.5}), 0.974076984180107, kTolerance);
  EXPECT_NEAR(loss_of({3, 2}, {.label_smoothing = 0.1}), 0.413261687518223, kTolerance);
  EXPECT_NEAR(loss_of({2, 1, 0}, {.kind = LossKind::kPlackettLuce}), 0.720867651962603, kTolerance);
  EXPECT_NEAR(loss_of({2, 1, 0}), 0.251150462026473, kTolerance);
  EXPECT_NEAR(loss_of({7, 7}), std::log(2.0), kTolerance);
  EXPECT_NEAR(loss_of({2, 1}, {.center_coefficient = 0.01}), 0.313261687518223 + 0.09, kTolerance);
}

TEST(Loss, KeepsItsDigitsForLargeDifferences) {
  std::vector<double> gradient(2);
  EXPECT_DOUBLE_EQ(example_loss(std::vector<double>{800, 0}, 0, {}, gradient), std::exp(-800.0));
  EXPECT_DOUBLE_EQ(loss_of({60, 0}), std::exp(-60.0));
  EXPECT_EQ(example_loss(std::vector<double>{0, 1000}, 0, {}, gradient), 1000);
  EXPECT_EQ(gradient, (std::vector<double>{-1, 1}));
  EXPECT_EQ(loss_of({0, 1000, -1000}, {.kind = LossKind::kPlackettLuce}), 1000);
}

TEST(Loss, TwoRankedCompletionsAreAPair) {
  const std::vector<double> rewards = {0.3, -1.2};
  EXPECT_NEAR(loss_of(rewards), loss_of(rewards, {.kind = LossKind::kPlackettLuce}), 1e-15);
}

TEST(Loss, GradientIsTheDifferenceQuotient) {
  EXPECT_TRUE(rc::check("any rewards and options", [] {
    const auto count = *rc::gen::inRange<std::size_t>(2, 6);
    std::vector<double> rewards;
    for (std::size_t i = 0; i < count; ++i) rewards.push_back(*rc::gen::inRange(-300, 300) / 100.0);
    LossOptions options;
    const double margin = *rc::gen::inRange(0, 100) / 100.0;
    options.center_coefficient = *rc::gen::inRange(0, 10) / 100.0;
    if (*rc::gen::arbitrary<bool>()) {
      options.kind = LossKind::kPlackettLuce;
    } else {
      options.label_smoothing = *rc::gen::inRange(0, 49) / 100.0;
    }
    std::vector<double> gradient(count);
    example_loss(rewards, margin, options, gradient);
    constexpr double kStep = 1e-5;  // truncation ~ kStep², cancellation ~ 1e-16 · 10 / kStep
    for (std::size_t i = 0; i < count; ++i) {
      std::vector<double> up = rewards, down = rewards;
      up[i] += kStep;
      down[i] -= kStep;
      const double quotient =
          (loss_of(up, options, margin) - loss_of(down, options, margin)) / (2 * kStep);
      RC_ASSERT(std::abs(quotient - gradient[i]) < 1e-9);
    }
  }));
}

TEST(Loss, WithoutCenteringOnlyDifferencesCount) {
  std::vector<double> gradient(4);
  example_loss(std::vector<double>{1, -2, 0.5, 3}, 0, {.kind = LossKind::kPlackettLuce}, gradient);
  EXPECT_NEAR(std::accumulate(gradient.begin(), gradient.end(), 0.0), 0, 1e-15);
}

TEST(Loss, RefusesOptionsThatMakeNoSense) {
  EXPECT_EQ(error_text<UserError>([] { check_loss_options({.label_smoothing = 0.5}); }),
            "option label-smoothing: out of range, expected 0 or more and less than 0.5, got 0.5");
  EXPECT_EQ(error_text<UserError>([] { check_loss_options({.center_coefficient = -1}); }),
            "option center-rewards-coefficient: out of range, expected 0 or more, got -1");
  EXPECT_EQ(error_text<UserError>([] {
              check_loss_options({.kind = LossKind::kPlackettLuce, .label_smoothing = 0.1});
            }),
            "option label-smoothing: does not go with loss plackett-luce, expected 0, got 0.1");
  EXPECT_THROW(loss_of({1}), InternalError);
}

}  // namespace
}  // namespace laurel::train
