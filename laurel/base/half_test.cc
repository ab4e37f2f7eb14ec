// Every 16-bit value, and every boundary between two of them.
#include "laurel/base/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace laurel {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// IEEE 754 by its definition, in double: exact for both formats.
double value_of(std::uint32_t bits, int exponent_bits, int mantissa_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const std::uint32_t mantissa = bits & ((1u << mantissa_bits) - 1);
  const int exponent = static_cast<int>(bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
  const double sign = bits >> (exponent_bits + mantissa_bits) ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) return mantissa ? std::nan("") : sign * HUGE_VAL;
  if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
  return sign * std::ldexp(mantissa + (1u << mantissa_bits), exponent - bias - mantissa_bits);
}

struct Format {
  const char* name;
  int exponent_bits;
  int mantissa_bits;
  float (*to_float)(std::uint16_t);
  std::uint16_t (*from_float)(float);
  std::uint16_t infinity() const {
    return static_cast<std::uint16_t>(((1 << exponent_bits) - 1) << mantissa_bits);
  }
};

class Half : public ::testing::TestWithParam<Format> {};

TEST_P(Half, EveryValueIsExactAndRoundTrips) {
  const Format& format = GetParam();
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = format.to_float(half);
    const double expected = value_of(bits, format.exponent_bits, format.mantissa_bits);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(value)) << std::hex << bits;
      ASSERT_TRUE(std::isnan(format.to_float(format.from_float(value)))) << std::hex << bits;
      ASSERT_EQ(format.from_float(value) >> 15, half >> 15) << "sign of NaN " << std::hex << bits;
    } else {
      ASSERT_EQ(value, expected) << std::hex << bits;
      ASSERT_EQ(std::signbit(value), std::signbit(expected)) << std::hex << bits;
      ASSERT_EQ(format.from_float(value), half) << std::hex << bits;
    }
  }
}

// Rounding is monotonic, so it is right everywhere when it is right on both sides of every midpoint
// and on it.
TEST_P(Half, RoundsToNearestTiesToEven) {
  const Format& format = GetParam();
  for (std::uint32_t bits = 0; bits < format.infinity(); ++bits) {
    const double low = value_of(bits, format.exponent_bits, format.mantissa_bits);
    const double high =
        bits + 1u == format.infinity()
            ? 2 * low - value_of(bits - 1, format.exponent_bits, format.mantissa_bits)
            : value_of(bits + 1, format.exponent_bits, format.mantissa_bits);
    const auto middle = static_cast<float>((low + high) / 2);
    ASSERT_EQ(middle, (low + high) / 2);  // a float holds it exactly
    const auto even = static_cast<std::uint16_t>(bits + (bits & 1));
    for (const int sign : {0, 0x8000}) {
      const auto rounded = [&](float value) { return format.from_float(sign ? -value : value); };
      ASSERT_EQ(rounded(middle), even | sign) << std::hex << bits;
      ASSERT_EQ(rounded(std::nextafter(middle, 0.0f)), bits | static_cast<unsigned>(sign))
          << std::hex << bits;
      ASSERT_EQ(rounded(std::nextafter(middle, kInfinity)),
                (bits + 1) | static_cast<unsigned>(sign))
          << std::hex << bits;
    }
  }
}

TEST_P(Half, Limits) {
  const Format& format = GetParam();
  EXPECT_EQ(format.from_float(kInfinity), format.infinity());
  EXPECT_EQ(format.from_float(-kInfinity), format.infinity() | 0x8000);
  EXPECT_EQ(format.from_float(std::numeric_limits<float>::max()), format.infinity());
  EXPECT_EQ(format.from_float(std::numeric_limits<float>::denorm_min()), 0);
  EXPECT_EQ(format.from_float(-0.0f), 0x8000);
}

INSTANTIATE_TEST_SUITE_P(Formats, Half,
                         ::testing::Values(Format{"f16", 5, 10, f16_to_float, float_to_f16},
                                           Format{"bf16", 8, 7, bf16_to_float, float_to_bf16}),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace laurel
