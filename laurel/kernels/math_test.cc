// Accuracy of the vector functions, on every instruction set.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "laurel/kernels/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "laurel/kernels/math_test.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "laurel/kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace laurel::kernels::HWY_NAMESPACE {

// In place; the count is a multiple of 16.
void exp_all(float* values, std::int64_t count) {
  const F32 d;
  for (std::int64_t i = 0; i < count; i += kLanes)
    hn::StoreU(exp_negative(hn::LoadU(d, values + i)), d, values + i);
}

void soft_cap_all(float* values, std::int64_t count, float cap) {
  const F32 d;
  const Vector caps = hn::Set(d, cap), inverse = hn::Set(d, 1.0f / cap);
  for (std::int64_t i = 0; i < count; i += kLanes)
    hn::StoreU(soft_cap(hn::LoadU(d, values + i), caps, inverse), d, values + i);
}

}  // namespace laurel::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "laurel/kernels/test_data.h"

namespace laurel::kernels {
namespace {

using namespace testing;

HWY_EXPORT(exp_all);
HWY_EXPORT(soft_cap_all);

constexpr float kInf = std::numeric_limits<float>::infinity();

// Distance between neighboring float32 numbers at `value`.
double ulp(double value) {
  int exponent;
  std::frexp(value, &exponent);
  return std::ldexp(1.0, std::max(exponent, -125) - 24);
}

// From -88 to 0, denser near 0, a multiple of 16 of them.
std::vector<float> exponents() {
  std::vector<float> inputs;
  for (float x = -88.0f; x < -1e-3f; x *= 0.99999f) inputs.push_back(x);
  for (float x = -87.5f; x < 0; x += 0.0007f) inputs.push_back(x);
  inputs.resize(inputs.size() / 16 * 16);
  return inputs;
}

TEST(ExpNegative, IsWithinOneUlp) {
  const std::vector<float> inputs = exponents();
  for_each_isa([&](const std::string&) {
    std::vector<float> got = inputs;
    LAUREL_DISPATCH(exp_all)(got.data(), static_cast<std::int64_t>(got.size()));
    double worst = 0;
    float at = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const double want = std::exp(double{inputs[i]});
      const double error = want < 0x1p-126 ? 0 : std::abs(double{got[i]} - want) / ulp(want);
      if (error > worst) {
        worst = error;
        at = inputs[i];
      }
      if (want < 0x1p-126) {
        ASSERT_LE(got[i], 0x1p-126f) << inputs[i];
      }
    }
    RecordProperty("worst_ulp", std::to_string(worst));
    EXPECT_LE(worst, 1.0) << "at " << at;
  });
}

TEST(ExpNegative, EndsOfTheRange) {
  for_each_isa([&](const std::string&) {
    std::vector<float> values(16, 0.0f);
    values[1] = -0.0f;
    values[2] = -kInf;
    values[3] = -std::numeric_limits<float>::max();
    values[4] = std::numeric_limits<float>::quiet_NaN();
    values[5] = -1e-40f;
    LAUREL_DISPATCH(exp_all)(values.data(), 16);
    EXPECT_EQ(values[0], 1.0f);
    EXPECT_EQ(values[1], 1.0f);
    EXPECT_EQ(values[2], 0.0f);
    EXPECT_EQ(values[3], 0.0f);
    EXPECT_TRUE(std::isnan(values[4]));
    EXPECT_EQ(values[5], 1.0f);
  });
}

TEST(SoftCap, IsWithinFourUlpOfTheCap) {
  std::vector<float> inputs;
  for (float x = -300; x < 300; x += 0.01f) inputs.push_back(x);
  inputs.resize(inputs.size() / 16 * 16);
  inputs[0] = kInf;
  inputs[1] = -kInf;
  const float cap = 30;
  for_each_isa([&](const std::string&) {
    std::vector<float> got = inputs;
    LAUREL_DISPATCH(soft_cap_all)(got.data(), static_cast<std::int64_t>(got.size()), cap);
    for (std::size_t i = 0; i < inputs.size(); ++i)
      ASSERT_NEAR(got[i], cap * std::tanh(double{inputs[i]} / cap), 4 * ulp(cap)) << inputs[i];
  });
}

}  // namespace
}  // namespace laurel::kernels
#endif
