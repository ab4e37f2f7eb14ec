#include "laurel/train/optimizer.h"

#include <gtest/gtest.h>

#include "laurel/base/error.h"
#include "laurel/base/test_support.h"
#include "laurel/train/test_support.h"

namespace laurel::train {
namespace {

// Algorithm 2 of arXiv 1711.05101 in float64, one element.
struct ReferenceAdamW {
  double value, first = 0, second = 0;

  explicit ReferenceAdamW(double initial) : value(initial) {}

  void step(double gradient, double rate, std::int64_t t, const OptimizerOptions& options) {
    first = options.beta1 * first + (1 - options.beta1) * gradient;
    second = options.beta2 * second + (1 - options.beta2) * gradient * gradient;
    const double mean = first / (1 - std::pow(options.beta1, t));
    const double variance = second / (1 - std::pow(options.beta2, t));
    value -= rate * (mean / (std::sqrt(variance) + options.epsilon) + options.weight_decay * value);
  }
};

void expect_reference(const OptimizerOptions& options) {
  const TestFolder folder;
  write_tiny_checkpoint(folder.path());
  ThreadPool pool(2);
  model::TrainableModel model = open_tiny(folder.path(), pool);
  Optimizer optimizer(model.parameters(), options);
  std::vector<std::vector<ReferenceAdamW>> expected;
  for (const auto& values : values_of(model)) expected.emplace_back(values.begin(), values.end());
  Random random(3);
  for (std::int64_t t = 1; t <= 6; ++t) {
    double squares = 0;
    for (model::Parameter& parameter : model.parameters()) {
      for (float& gradient : parameter.gradient) {
        gradient = static_cast<float>(random.between(-1000, 1000)) / (t < 4 ? 100.0f : 1e5f);
        squares += static_cast<double>(gradient) * static_cast<double>(gradient);
      }
    }
    const double norm = Optimizer::gradient_norm(model.parameters(), pool);
    ASSERT_NEAR(norm, std::sqrt(squares), 1e-9 * norm);
    const bool clips = options.max_grad_norm > 0 && norm > options.max_grad_norm;
    const double scale = clips ? options.max_grad_norm / (norm + 1e-6) : 1;
    const double rate = 0.01 / static_cast<double>(t);
    optimizer.update(model.parameters(), rate, norm, pool);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      for (std::size_t j = 0; j < expected[i].size(); ++j) {
        const float gradient = model.parameters()[i].gradient[j];
        expected[i][j].step(scale * static_cast<double>(gradient), rate, t, options);
        ASSERT_NEAR(static_cast<double>(model.parameters()[i].value[j]), expected[i][j].value, 2e-6)
            << t << " " << model.parameters()[i].name;
      }
    }
  }
  EXPECT_EQ(optimizer.num_updates(), 6);
}

TEST(Optimizer, FollowsTheFormula) { expect_reference({.weight_decay = 0.1}); }

// The norm is above the bound in the first steps and below it in the later ones.
TEST(Optimizer, ClipsGradientsThatAreTooLarge) { expect_reference({.max_grad_norm = 1}); }

TEST(Optimizer, OptionsOutOfRangeAreNamed) {
  const auto text_of = [](const OptimizerOptions& options) {
    return error_text<UserError>([&] { check_optimizer_options(options); });
  };
  EXPECT_EQ(text_of({.beta1 = 1}),
            "option adam-beta1: out of range, expected 0 or more and less than 1, got 1");
  EXPECT_EQ(text_of({.epsilon = 0}),
            "option adam-epsilon: out of range, expected more than 0, got 0");
  EXPECT_EQ(text_of({.weight_decay = -1}),
            "option weight-decay: out of range, expected 0 or more, got -1");
  EXPECT_EQ(text_of({.max_grad_norm = std::nan("")}),
            "option max-grad-norm: out of range, expected 0 or more, got nan");
}

}  // namespace
}  // namespace laurel::train
