#include "laurel/kernels/optimizer.h"

#include <gtest/gtest.h>

#include <limits>

#include "laurel/kernels/ops.h"
#include "laurel/kernels/reference_backward.h"
#include "laurel/kernels/test_data.h"

namespace laurel::kernels {
namespace {

using namespace testing;

struct Arrays {
  std::vector<float> value, gradient, first, second;

  Arrays(std::int64_t count, std::mt19937& rng)
      : value(random_values(count, rng, 0.1f)),
        gradient(random_values(count, rng, 1e-3f)),
        first(random_values(count, rng, 1e-3f)),
        second(random_values(count, rng, 1e-6f)) {
    for (float& v : second) v = std::abs(v);
  }
  void step(const AdamW& options, ThreadPool& pool) {
    adamw_step(value, gradient, first, second, options, pool);
  }
};

const AdamW kOptions[] = {
    {.learning_rate = 3e-6, .step = 1},
    {.learning_rate = 1e-3, .epsilon = 1e-8, .weight_decay = 0.01, .step = 7},
    {.learning_rate = 2e-5,
     .beta1 = 0.8,
     .beta2 = 0.95,
     .weight_decay = 0.1,
     .step = 100000,
     .gradient_scale = 0.37},
};

TEST(AdamWTest, AgreesWithReference) {
  std::mt19937 rng(1);
  for (const AdamW& options : kOptions) {
    const Arrays old(1003, rng);
    for_each_isa([&](const std::string&) {
      ThreadPool pool(2);
      Arrays got = old;
      got.step(options, pool);
      EXPECT_EQ(got.gradient, old.gradient);
      for (std::size_t i = 0; i < old.value.size(); ++i) {
        const double g = old.gradient[i];
        const reference::AdamWState want =
            reference::adamw_step({old.value[i], old.first[i], old.second[i]}, g, options);
        // Roundings of the factors and of each operation, on the largest term.
        const double first_scale = std::abs(old.first[i]) + std::abs(g);
        EXPECT_NEAR(got.first[i], want.first, 5 * kEps * first_scale);
        EXPECT_NEAR(got.second[i], want.second, 7 * kEps * want.second);
        const double root =
            std::sqrt(want.second) / std::sqrt(1 - std::pow(options.beta2, options.step));
        const double update = options.learning_rate / (1 - std::pow(options.beta1, options.step)) *
                              first_scale / (root + options.epsilon);
        EXPECT_NEAR(got.value[i], want.value, kEps * (3 * std::abs(old.value[i]) + 20 * update));
      }
    });
  }
}

// Three steps of torch.optim.AdamW (torch 2.11.0, float32, foreach=False) on value [0.5, -1, 2],
// lr 1e-2, betas (0.9, 0.999), eps 1e-5, weight_decay 0.1, gradients [0.1, -0.2, 0.3] · step.
TEST(AdamWTest, AgreesWithTorch) {
  const float want[3][3] = {{0.489500999f, -0.989000499f, 1.98800039f},
                            {0.479360282f, -0.978359997f, 1.9763608f},
                            {0.469301373f, -0.967801869f, 1.96480453f}};
  for_each_isa([&](const std::string&) {
    ThreadPool pool(1);
    std::vector<float> value{0.5f, -1.0f, 2.0f}, first(3), second(3);
    AdamW options{.learning_rate = 1e-2, .weight_decay = 0.1};
    for (int t = 0; t < 3; ++t) {
      const auto k = static_cast<float>(t + 1);
      const std::vector<float> gradient{0.1f * k, -0.2f * k, 0.3f * k};
      options.step = t + 1;
      adamw_step(value, gradient, first, second, options, pool);
      for (std::size_t i = 0; i < 3; ++i)
        EXPECT_NEAR(value[i], want[t][i], 2 * kEps * std::abs(want[t][i])) << t << ", " << i;
    }
  });
}

TEST(AdamWTest, BitsDependOnInputsOnly) {
  std::mt19937 rng(2);
  for (const std::int64_t count : {0, 1, 17, 100003}) {
    const Arrays old(count, rng);
    const auto result = [&](int threads) {
      ThreadPool pool(threads);
      Arrays got = old;
      got.step(kOptions[2], pool);
      Grid2 all(3, count);
      std::copy(got.value.begin(), got.value.end(), all.view().row(0));
      std::copy(got.first.begin(), got.first.end(), all.view().row(1));
      std::copy(got.second.begin(), got.second.end(), all.view().row(2));
      return all;
    };
    expect_same_bits_between_isas([&] { return result(1); });
    for_each_isa([&](const std::string&) {
      const Grid2 one = result(1);
      for (const int threads : {2, 3, 5}) EXPECT_TRUE(same_bits(result(threads), one));
    });
  }
}

TEST(SumOfSquaresTest, IsExactToFloat64AndIndependentOfThreads) {
  std::mt19937 rng(3);
  for (const std::int64_t count : {0, 1, 15, 16, 16384, 16385, 300001}) {
    std::vector<float> values = random_values(count, rng);
    if (count > 5) values[5] = 1e30f;  // its square is beyond float32
    long double want = 0;
    for (const float v : values) want += static_cast<long double>(v) * static_cast<long double>(v);
    std::vector<double> results;
    for_each_isa([&](const std::string&) {
      for (const int threads : {1, 2, 3, 5}) {
        ThreadPool pool(threads);
        results.push_back(sum_of_squares(values, pool));
      }
    });
    for (const double result : results) EXPECT_EQ(result, results.front());
    const double exact = static_cast<double>(want);
    EXPECT_NEAR(results.front(), exact, static_cast<double>(count) * 0x1p-53 * exact);
  }
}

TEST(SumOfSquaresTest, NonFiniteElementsShow) {
  ThreadPool pool(2);
  for_each_isa([&](const std::string&) {
    std::vector<float> values(40000, 1.0f);
    values[39999] = std::numeric_limits<float>::infinity();
    EXPECT_TRUE(std::isinf(sum_of_squares(values, pool)));
    values[3] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_TRUE(std::isnan(sum_of_squares(values, pool)));
  });
}

}  // namespace
}  // namespace laurel::kernels
