// The integer products against their specification: the same bits, on every instruction set.
#include "laurel/kernels/int8.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "laurel/kernels/partition.h"
#include "laurel/kernels/reference.h"
#include "laurel/kernels/reference_int8.h"
#include "laurel/kernels/test_data.h"

namespace laurel::kernels {
namespace {

using namespace testing;

constexpr auto kNo = Accumulate::kNo;
constexpr auto kYes = Accumulate::kYes;

Int8Weight without_offsets(Int8Weight weight) {
  weight.offsets = nullptr;
  return weight;
}

// Of rows that count alike.
Int8Calibration calibrate(ConstMatrix x, ThreadPool& pool) {
  return int8_calibration(x, std::vector<float>(static_cast<std::size_t>(x.rows), 1.0f), pool);
}

std::vector<float> or_zeros(std::vector<float> center, std::int64_t cols) {
  center.resize(static_cast<std::size_t>(cols));
  return center;
}

// A quantized matrix with its own memory, of rows further apart than needed.
class Quantized {
 public:
  Quantized(ConstMatrix x, ThreadPool& pool, const std::vector<float>& center = {}) {
    reserve(x.rows, x.cols);
    quantize_rows(x, or_zeros(center, x.cols).data(), view_, pool);
  }
  // The rest of some rows.
  Quantized(ConstMatrix x, const std::vector<std::int32_t>& rows, const Int8Matrix& quantized,
            ThreadPool& pool, const std::vector<float>& center = {}) {
    reserve(static_cast<std::int64_t>(rows.size()), x.cols);
    quantize_rest(x, or_zeros(center, x.cols).data(), rows, quantized, view_, pool);
  }
  const Int8Matrix& view() const { return view_; }

 private:
  void reserve(std::int64_t rows, std::int64_t cols) {
    view_.rows = rows;
    view_.cols = cols;
    view_.stride = round_up(cols, 4) + 12;
    values_.assign(static_cast<std::size_t>(rows * view_.stride), 77);
    scales_.resize(static_cast<std::size_t>(rows));
    zero_points_.resize(scales_.size());
    view_.values = values_.data();
    view_.scales = scales_.data();
    view_.zero_points = zero_points_.data();
  }

  std::vector<std::uint8_t> values_;
  std::vector<float> scales_;
  std::vector<std::int32_t> zero_points_;
  Int8Matrix view_;
};

// A packed weight with its own memory, at an odd address.
class Packed {
 public:
  Packed(const Grid2& w, ThreadPool& pool, const Int8Calibration& calibration = {})
      : Packed(Stored(w.values(), DType::kF32, 1).weight(w.rows(), w.cols()), pool, calibration) {}
  Packed(const Weight& weight, ThreadPool& pool, const Int8Calibration& calibration = {})
      : center_(or_zeros(calibration.center, weight.in_features)) {
    const std::int64_t out = weight.out_features, in = weight.in_features;
    bytes_.resize(static_cast<std::size_t>(packed_int8_bytes(out, in) + 1));
    scales_.resize(static_cast<std::size_t>(out));
    sums_.resize(scales_.size());
    offsets_.resize(scales_.size());
    weight_ = {bytes_.data() + 1, scales_.data(),  sums_.data(),
               center_.data(),    offsets_.data(), out};
    rest_bytes_.resize(bytes_.size());
    rest_scales_.resize(scales_.size());
    rest_sums_.resize(scales_.size());
    rest_ = {rest_bytes_.data(), rest_scales_.data(), rest_sums_.data(), nullptr, nullptr, out};
    quantize_weight(weight, calibration,
                    {bytes_.data() + 1, scales_.data(), sums_.data(), offsets_.data()},
                    {rest_bytes_.data(), rest_scales_.data(), rest_sums_.data()}, pool);
  }
  const Int8Weight& rest() const { return rest_; }
  const Int8Weight& weight() const { return weight_; }
  float weight_scale(std::int64_t n) const { return scales_[static_cast<std::size_t>(n)]; }
  std::int32_t weight_sum(std::int64_t n) const { return sums_[static_cast<std::size_t>(n)]; }

 private:
  std::vector<std::int8_t> bytes_, rest_bytes_;
  std::vector<float> scales_, rest_scales_;
  std::vector<std::int32_t> sums_, rest_sums_;
  std::vector<float> center_, offsets_;
  Int8Weight weight_, rest_;
};

std::uint32_t bits(float value) { return std::bit_cast<std::uint32_t>(value); }

void expect_rows(const Int8Matrix& got, const reference::Int8Rows& want) {
  for (std::int64_t r = 0; r < got.rows; ++r) {
    const auto i = static_cast<std::size_t>(r);
    EXPECT_EQ(bits(got.scales[r]), bits(want.scales[i])) << "row " << r;
    EXPECT_EQ(got.zero_points[r], want.zero_points[i]) << "row " << r;
    for (std::int64_t k = 0; k < round_up(got.cols, 4); ++k) {
      const int value = got.values[r * got.stride + k];
      const int expected =
          k < got.cols ? want.values[static_cast<std::size_t>(r * got.cols + k)] : 0;
      ASSERT_EQ(value, expected) << "row " << r << ", column " << k;
    }
    if (got.stride > round_up(got.cols, 4)) {
      EXPECT_EQ(got.values[r * got.stride + got.stride - 1], 77) << "written between the rows";
    }
  }
}

TEST(Int8Quantization, EqualsTheReference) {
  std::mt19937 rng(1);
  for (const std::int64_t cols : {1, 3, 4, 7, 16, 32, 63, 64, 65, 100, 136, 512, 576, 1536, 1792}) {
    Grid2 x = Grid2::random(9, cols, 2, rng, 5);
    for (const std::vector<float>& center : {std::vector<float>(), random_values(cols, rng)}) {
      const reference::Int8Rows want = reference::quantize_rows(x.view(), center);
      for_each_isa([&](const std::string&) {
        for (const int threads : {1, 3}) {
          ThreadPool pool(threads);
          expect_rows(Quantized(x.view(), pool, center).view(), want);
        }
      });
    }
  }
}

TEST(Int8Quantization, RoundsTiesToEvenAndReachesBothEnds) {
  Grid2 x(1, 41);  // odd: not rotated
  for (std::int64_t k = 0; k < 41; ++k) x.at(0, k) = static_cast<float>(k) / 2 - 10;
  x.at(0, 38) = 155;
  x.at(0, 39) = -100;
  x.at(0, 37) = 0.49999997f;  // the largest number below a half
  for_each_isa([&](const std::string&) {
    ThreadPool pool(1);
    const Quantized q(x.view(), pool);
    EXPECT_EQ(q.view().scales[0], 1.0f);
    EXPECT_EQ(q.view().zero_points[0], 100);
    EXPECT_EQ(q.view().values[38], 255);
    EXPECT_EQ(q.view().values[39], 0);
    EXPECT_EQ(q.view().values[37], 100);
    EXPECT_EQ(q.view().values[21], 100);  // 0.5
    EXPECT_EQ(q.view().values[23], 102);  // 1.5
    EXPECT_EQ(q.view().values[17], 98);   // -1.5
  });
}

// Ends that both round away from 0 would be 256 steps apart; rows on one side of 0 keep it.
TEST(Int8Quantization, ValuesStayWithinTheirBits) {
  Grid2 x(4, 41);
  for (std::int64_t k = 0; k < 41; ++k) {
    x.at(0, k) = k % 2 == 0 ? 127.5f : -127.5f;
    x.at(1, k) = k % 3 == 0 ? 255.0f : 17.0f;
    x.at(2, k) = k % 5 == 0 ? -255.0f : -17.0f;
    x.at(3, k) = 0;
  }
  for_each_isa([&](const std::string&) {
    ThreadPool pool(1);
    const Quantized q(x.view(), pool);
    const Int8Matrix& got = q.view();
    EXPECT_EQ(got.zero_points[0], 128);
    EXPECT_EQ(got.zero_points[1], 0);
    EXPECT_EQ(got.zero_points[2], 255);
    EXPECT_EQ(got.zero_points[3], 0);
    for (std::int64_t k = 0; k < 41; ++k) {
      EXPECT_EQ(got.values[k], k % 2 == 0 ? 255 : 0);
      EXPECT_EQ(got.values[got.stride + k], k % 3 == 0 ? 255 : 17);
      EXPECT_EQ(got.values[2 * got.stride + k], k % 5 == 0 ? 0 : 238);
    }
  });
}

TEST(Int8Quantization, RowsThatAreNotFiniteBecomeNanAndTinyOnesZero) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  std::mt19937 rng(2);
  Grid2 x = Grid2::random(9, 37, 1, rng);
  x.at(1, 36) = kNan;
  x.at(2, 5) = -kInf;
  for (std::int64_t k = 0; k < 37; ++k) x.at(3, k) = k == 0 ? 0x1p-101f : 0;
  for (std::int64_t k = 0; k < 37; ++k) x.at(4, k) = k == 0 ? 0x1p-100f : 0;
  for (std::int64_t k = 0; k < 37; ++k) x.at(5, k) = k == 0 ? 3e38f : 1e30f;
  for (std::int64_t k = 0; k < 37; ++k) x.at(6, k) = k == 0 ? 3e38f : -3e38f;
  x.at(7, 9) = kInf;
  x.at(8, 9) = -kNan;
  const reference::Int8Rows want = reference::quantize_rows(x.view());
  EXPECT_TRUE(std::isnan(want.scales[1]));
  EXPECT_TRUE(std::isnan(want.scales[2]));
  for (const std::size_t r : {6u, 7u, 8u}) EXPECT_TRUE(std::isnan(want.scales[r]));
  EXPECT_EQ(want.scales[3], 0);
  EXPECT_EQ(want.values[4 * 37], 255);
  for_each_isa([&](const std::string&) {
    ThreadPool pool(1);
    expect_rows(Quantized(x.view(), pool).view(), want);
  });
}

TEST(Int8Quantization, PacksWeightsInTheDocumentedOrder) {
  std::mt19937 rng(3);
  for (const std::int64_t out : {1, 15, 16, 17, 40}) {
    for (const std::int64_t in : {1, 4, 6, 33, 64}) {
      Grid2 w = Grid2::random(out, in, 0, rng);
      const reference::Int8Channels want = reference::quantize_weight(w.view());
      ThreadPool pool(2);
      const Packed packed(w, pool);
      for (std::int64_t n = 0; n < round_up(out, 16); ++n) {
        std::int32_t sum = 0;
        for (std::int64_t k = 0; k < round_up(in, 4); ++k) {
          const int expected =
              n < out && k < in ? want.values[static_cast<std::size_t>(n * in + k)] : 0;
          ASSERT_EQ(reference::int8_element(packed.weight(), in, n, k), expected) << n << ", " << k;
          sum += expected;
        }
        if (n >= out) continue;
        EXPECT_EQ(packed.weight_sum(n), sum);
        EXPECT_EQ(bits(packed.weight_scale(n)), bits(want.scales[static_cast<std::size_t>(n)]));
      }
    }
  }
}

TEST(Int8Quantization, TakesWeightsOfEveryStoredType) {
  std::mt19937 rng(7);
  ThreadPool pool(1);
  const std::vector<float> values = random_values(20 * 9, rng);
  for (const DType dtype : {DType::kBF16, DType::kF16}) {
    const Stored stored(values, dtype, 1);
    Grid2 rounded(20, 9);
    for (std::int64_t i = 0; i < 20 * 9; ++i)
      rounded.at(i / 9, i % 9) = load_element(stored.weight(20, 9).data, dtype, i);
    const Packed got(stored.weight(20, 9), pool), want(rounded, pool);
    EXPECT_EQ(std::memcmp(got.weight().packed, want.weight().packed,
                          static_cast<std::size_t>(packed_int8_bytes(20, 9))),
              0);
    EXPECT_EQ(std::memcmp(got.weight().scales, want.weight().scales, 20 * sizeof(float)), 0);
  }
}

struct Int8Case {
  std::int64_t rows, in, out;
  bool bias;
  Accumulate accumulate;
};

void PrintTo(const Int8Case& c, std::ostream* os) {
  *os << c.rows << "x" << c.in << " to " << c.out;
}

// Sizes around the tiles (14, 12, 6 or 4 rows, 4 to 32 columns), groups of 4 inputs, panels of 16
// columns, depth steps (768, 1536) and blocks (512 rows, 384 KiB).
const Int8Case kCases[] = {
    {1, 1, 1, false, kNo},      {1, 576, 192, false, kNo},  {2, 7, 5, true, kNo},
    {3, 64, 33, true, kYes},    {5, 383, 31, true, kYes},   {6, 768, 32, false, kYes},
    {7, 770, 64, true, kNo},    {13, 392, 65, false, kNo},  {14, 1536, 48, true, kYes},
    {15, 1541, 40, true, kYes}, {29, 100, 129, false, kNo}, {27, 4000, 17, true, kYes},
    {513, 40, 70, true, kYes},  {40, 0, 3, true, kYes},     {20, 576, 1000, true, kNo},
};

struct Int8Data {
  Grid2 x, w, old;
  Stored bias;
  std::vector<float> offsets;
  Int8Data(const Int8Case& c, std::mt19937& rng)
      : x(Grid2::random(c.rows, c.in, 3, rng)),
        w(Grid2::random(c.out, c.in, 0, rng)),
        old(Grid2::random(c.rows, c.out, 5, rng)),
        bias(random_values(c.out, rng), DType::kBF16, 1),
        offsets(random_values(c.out, rng)) {}
};

class Int8Linear : public ::testing::TestWithParam<Int8Case> {};
INSTANTIATE_TEST_SUITE_P(Cases, Int8Linear, ::testing::ValuesIn(kCases));

TEST_P(Int8Linear, GivesTheBitsOfTheReference) {
  const Int8Case& c = GetParam();
  std::mt19937 rng(4);
  Int8Data data(c, rng);
  ThreadPool one(1);
  const Packed packed(data.w, one);
  const VectorParameter bias = c.bias ? data.bias.vector(c.out) : VectorParameter{};
  for (const bool has_offsets : {false, true}) {
    Int8Weight weight = packed.weight();
    if (has_offsets) weight.offsets = data.offsets.data();
    const std::vector<float> want = reference::int8_linear(
        reference::quantize_rows(data.x.view()), weight, bias, data.old.view(), c.accumulate);
    for_each_isa([&](const std::string&) {
      for (const int threads : {1, 2, 5}) {
        ThreadPool pool(threads);
        const Quantized x(data.x.view(), pool);
        Grid2 y = data.old;
        int8_linear(x.view(), weight, bias, y.view(), c.accumulate, pool);
        for (std::int64_t r = 0; r < c.rows; ++r) {
          for (std::int64_t n = 0; n < c.out; ++n) {
            ASSERT_EQ(bits(y.at(r, n)), bits(want[static_cast<std::size_t>(r * c.out + n)]))
                << r << ", " << n << ", " << threads << " threads";
          }
        }
        EXPECT_TRUE(y.padding_intact());
      }
    });
  }
}

TEST_P(Int8Linear, RowsDoNotDependOnTheirNeighbors) {
  const Int8Case& c = GetParam();
  std::mt19937 rng(5);
  Int8Data data(c, rng);
  ThreadPool pool(1);
  const Packed packed(data.w, pool);
  for_each_isa([&](const std::string&) {
    Grid2 whole = data.old, pieces = data.old;
    int8_linear(Quantized(data.x.view(), pool).view(), packed.weight(), {}, whole.view(), kYes,
                pool);
    for (std::int64_t r = 0; r < c.rows;) {
      const std::int64_t count =
          std::min(c.rows - r, std::uniform_int_distribution<std::int64_t>(1, 40)(rng));
      const Matrix x = data.x.view(), y = pieces.view();
      int8_linear(Quantized({x.row(r), count, x.cols, x.stride}, pool).view(), packed.weight(), {},
                  {y.row(r), count, y.cols, y.stride}, kYes, pool);
      r += count;
    }
    EXPECT_TRUE(same_bits(pieces, whole));
  });
}

// Every sum of a pair at its largest: any step that saturates, or counts the zero point wrongly,
// shows.
TEST(Int8LinearTest, SumsAreExactAtTheEndsOfTheRange) {
  struct Pair {
    float even, odd;
    int largest_sum;  // of the two, rounded
  };
  ThreadPool pool(1);
  for (const float x_sign : {1.0f, -1.0f}) {
    for (const float w_sign : {1.0f, -1.0f}) {
      for (const Pair pair : {Pair{63.5f, 63.5f, 128}, {127, 0, 127}, {127, -127, 0}}) {
        for (const std::int64_t in : {4, 1537, 6001}) {  // not rotated
          Grid2 x(7, in), w(33, in), y(7, 33);
          for (std::int64_t r = 0; r < 7; ++r) std::fill_n(&x.at(r, 0), in, 255 * x_sign);
          for (std::int64_t n = 0; n < 33; ++n) {
            for (std::int64_t k = 0; k < in; ++k)
              w.at(n, k) = (k % 2 == 0 ? pair.even : pair.odd) * w_sign;
          }
          const Packed packed(w, pool);
          EXPECT_EQ(reference::int8_element(packed.weight(), in, 2, 2) +
                        reference::int8_element(packed.weight(), in, 2, 3),
                    pair.largest_sum * static_cast<int>(w_sign));
          for_each_isa([&](const std::string&) {
            int8_linear(Quantized(x.view(), pool).view(), packed.weight(), {}, y.view(), kNo, pool);
            const auto want = 255.0f * x_sign * static_cast<float>(packed.weight_sum(0));
            for (std::int64_t r = 0; r < 7; ++r) {
              for (std::int64_t n = 0; n < 33; ++n) ASSERT_EQ(y.at(r, n), want) << r << ", " << n;
            }
          });
        }
      }
    }
  }
}

TEST(Int8LinearTest, SumsAreExactAtTheLargestDepth) {
  ThreadPool pool(1);
  Grid2 x(1, kMaxInt8Inputs), w(1, kMaxInt8Inputs), y(1, 1);
  // Rotated, every element is 255 (-127, and a pair -254): the first is added to all its neighbors.
  const std::int64_t order = hadamard_order(kMaxInt8Inputs);
  for (std::int64_t k = 0; k < kMaxInt8Inputs; ++k) {
    x.at(0, k) = k % order == 0 ? 255.0f : 0.0f;
    w.at(0, k) = k % order == 0 ? -127.0f : 0.0f;
  }
  const Packed packed(w, pool);
  for_each_isa([&](const std::string&) {
    int8_linear(Quantized(x.view(), pool).view(), packed.weight(), {}, y.view(), kNo, pool);
    EXPECT_EQ(y.at(0, 0), static_cast<float>(-255 * 128 * (kMaxInt8Inputs / order)));
  });
}

TEST(Int8Quantization, RotationTakesTheLargestPowerOfTwo) {
  EXPECT_EQ(hadamard_order(0), 1);
  EXPECT_EQ(hadamard_order(1), 1);
  EXPECT_EQ(hadamard_order(8), 1);
  EXPECT_EQ(hadamard_order(16), 16);
  EXPECT_EQ(hadamard_order(31), 1);
  EXPECT_EQ(hadamard_order(48), 16);
  EXPECT_EQ(hadamard_order(576), 64);
  EXPECT_EQ(hadamard_order(1536), 512);
  EXPECT_EQ(hadamard_order(4096), 1024);
  EXPECT_EQ(hadamard_order(14336), 1024);
}

// Root mean square of the error of y over that of x · Wᵀ.
double relative_error(Grid2& y, Grid2& x, const Grid2& w, ThreadPool& pool) {
  Grid2 want(x.rows(), w.rows());
  const Stored stored(w.values(), DType::kF32, 1);
  linear(x.view(), stored.weight(w.rows(), w.cols()), {}, want.view(), kNo, pool);
  double error = 0, size = 0;
  for (std::int64_t r = 0; r < y.rows(); ++r) {
    for (std::int64_t n = 0; n < y.cols(); ++n) {
      error += std::pow(double{y.at(r, n)} - double{want.at(r, n)}, 2);
      size += std::pow(double{want.at(r, n)}, 2);
    }
  }
  return std::sqrt(error / size);
}

// Of a product of random numbers; one input is `outlier` times as large as the others.
double product_error(std::int64_t in, float outlier) {
  std::mt19937 rng(8);
  ThreadPool pool(1);
  Grid2 x = Grid2::random(8, in, 0, rng), w = Grid2::random(32, in, 0, rng), y(8, 32);
  for (std::int64_t r = 0; r < 8; ++r) x.at(r, 2) *= outlier;
  const Packed packed(w, pool);
  int8_linear(Quantized(x.view(), pool).view(), packed.weight(), {}, y.view(), kNo, pool);
  return relative_error(y, x, w, pool);
}

// Rows of 6 sources, mixed into `cols` inputs, and a little noise of their own.
Grid2 mixed_rows(std::int64_t rows, std::int64_t cols, std::mt19937& mixing, std::mt19937& rng) {
  Grid2 mix = Grid2::random(6, cols, 0, mixing), source = Grid2::random(rows, 6, 0, rng);
  Grid2 x = Grid2::random(rows, cols, 0, rng);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t k = 0; k < cols; ++k) {
      x.at(r, k) *= 0.05f;
      for (std::int64_t s = 0; s < 6; ++s) x.at(r, k) += source.at(r, s) * mix.at(s, k);
    }
  }
  return x;
}

// Errors of weights, on other rows of the same kind, with and without feedback. Few inputs have
// little that goes together beyond what the damping allows.
TEST(Int8Feedback, MakesTheErrorsOfWeightsThatGoTogetherSmaller) {
  struct Gain {
    std::int64_t in;
    double least;
  };
  for (const Gain& gain : {Gain{48, 2.5}, {320, 6}, {600, 9}}) {
    const std::int64_t in = gain.in;
    std::mt19937 rng(9);
    ThreadPool pool(2);
    Grid2 text = [&] {
      std::mt19937 mixing(3);
      return mixed_rows(4 * in, in, mixing, rng);
    }();
    std::mt19937 mixing(3);
    Grid2 x = mixed_rows(40, in, mixing, rng), w = Grid2::random(32, in, 0, rng);
    std::vector<std::int32_t> rows(40);
    std::iota(rows.begin(), rows.end(), 0);
    double errors[2];
    for (const bool with : {false, true}) {
      const Int8Calibration calibration = with ? calibrate(text.view(), pool) : Int8Calibration{};
      const Quantized quantized(x.view(), pool, calibration.center);
      const Quantized rest(x.view(), rows, quantized.view(), pool, calibration.center);
      const Packed packed(w, pool, calibration);
      Grid2 y(40, 32);
      int8_linear(quantized.view(), packed.weight(), {}, y.view(), kNo, pool);
      int8_linear(rest.view(), without_offsets(packed.weight()), {}, y.view(), kYes, pool);
      errors[with ? 1 : 0] = relative_error(y, x, w, pool);
    }
    EXPECT_LT(gain.least * errors[1], errors[0]) << in << " inputs";
  }
}

// Feedback moves weights: what it moves out of bounds stays within them.
TEST(Int8Feedback, PairsOfWeightsKeepTheirBound) {
  std::mt19937 rng(13), mixing(5);
  ThreadPool pool(1);
  for (const std::int64_t in : {48, 601}) {  // blocks of even and odd sizes
    Grid2 text = mixed_rows(4 * in, in, mixing, rng), w = Grid2::random(64, in, 0, rng);
    const Packed packed(w, pool, calibrate(text.view(), pool));
    for (const Int8Weight& weight : {packed.weight(), packed.rest()}) {
      int largest = 0;
      for (std::int64_t n = 0; n < 64; ++n) {
        for (std::int64_t k = 0; k + 1 < in; k += 2) {
          largest = std::max(largest, std::abs(reference::int8_element(weight, in, n, k) +
                                               reference::int8_element(weight, in, n, k + 1)));
        }
      }
      EXPECT_LE(largest, kMaxInt8Pair);
      EXPECT_GT(largest, 100);
    }
  }
}

TEST(Int8Feedback, IsTheSameForAnyNumberOfThreadsAndInstructionSet) {
  std::mt19937 rng(10), mixing(4);
  Grid2 text = mixed_rows(1200, 300, mixing, rng), w = Grid2::random(20, 300, 0, rng);
  ThreadPool one(1);
  select_isa("avx2");
  const Packed want(w, one, calibrate(text.view(), one));
  for_each_isa([&](const std::string& isa) {
    if (!isa.starts_with("avx")) return;  // sums of products fuse
    ThreadPool pool(3);
    const Packed got(w, pool, calibrate(text.view(), pool));
    const auto size = static_cast<std::size_t>(packed_int8_bytes(20, 300));
    EXPECT_EQ(std::memcmp(got.weight().packed, want.weight().packed, size), 0) << isa;
  });
}

TEST(Int8Feedback, NeedsFiniteRowsAndEnoughOfThem) {
  std::mt19937 rng(11);
  ThreadPool pool(1);
  Grid2 x = Grid2::random(128, 32, 0, rng);
  EXPECT_EQ(calibrate(x.view(), pool).factors.size(), 32u * 32u);
  EXPECT_TRUE(calibrate({x.view().data, 15, 32, x.view().stride}, pool).factors.empty());
  x.at(7, 8) = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(calibrate(x.view(), pool).factors.empty());
  Grid2 zero(128, 32), w = Grid2::random(16, 32, 0, rng);
  for (std::int64_t r = 0; r < 128; ++r) std::fill_n(&zero.at(r, 0), 32, 0.0f);
  const Packed plain(w, pool), fed(w, pool, calibrate(zero.view(), pool));
  EXPECT_EQ(std::memcmp(plain.weight().packed, fed.weight().packed, 16 * 32), 0);
}

// Weights and activations of sixteen bits: nearly exact.
TEST(Int8Feedback, TheRestMakesWeightsOfSixteenBits) {
  for (const std::int64_t in : {7, 48, 600}) {
    std::mt19937 rng(14), mixing(6);
    ThreadPool pool(2);
    Grid2 text = mixed_rows(4 * in, in, mixing, rng), w = Grid2::random(40, in, 0, rng);
    Grid2 x = Grid2::random(20, in, 0, rng), y(20, 40);
    std::fill_n(&w.at(5, 0), in, 0.0f);
    const Int8Calibration calibration = calibrate(text.view(), pool);
    const Packed packed(w, pool, calibration);
    std::vector<std::int32_t> rows(20);
    std::iota(rows.begin(), rows.end(), 0);
    const Quantized quantized(x.view(), pool, calibration.center);
    const Quantized rest(x.view(), rows, quantized.view(), pool, calibration.center);
    int8_linear(quantized.view(), packed.weight(), {}, y.view(), kNo, pool);
    const double of_eight_bits = relative_error(y, x, w, pool);
    int8_linear(rest.view(), without_offsets(packed.weight()), {}, y.view(), kYes, pool);
    int8_linear(quantized.view(), packed.rest(), {}, y.view(), kYes, pool);
    EXPECT_LT(20 * relative_error(y, x, w, pool), of_eight_bits) << in << " inputs";
  }
}

// What all rows have in common costs no steps of theirs.
TEST(Int8Calibration, TheCenterOfRowsIsExact) {
  for (const std::int64_t in : {33, 576}) {
    std::mt19937 rng(15);
    ThreadPool pool(1);
    const std::vector<float> common = random_values(in, rng);
    Grid2 text = Grid2::random(64, in, 0, rng), w = Grid2::random(32, in, 0, rng);
    Grid2 x = Grid2::random(16, in, 0, rng), y(16, 32);
    for (Grid2* rows : {&text, &x}) {
      for (std::int64_t r = 0; r < rows->rows(); ++r) {
        for (std::int64_t k = 0; k < in; ++k)
          rows->at(r, k) = 0.05f * rows->at(r, k) + 3 * common[static_cast<std::size_t>(k)];
      }
    }
    double errors[2];
    for (const bool with : {false, true}) {
      Int8Calibration calibration;
      if (with) calibration.center = calibrate(text.view(), pool).center;
      const Packed packed(w, pool, calibration);
      const Quantized quantized(x.view(), pool, calibration.center);
      int8_linear(quantized.view(), packed.weight(), {}, y.view(), kNo, pool);
      errors[with ? 1 : 0] = relative_error(y, x, w, pool);
    }
    EXPECT_LT(10 * errors[1], errors[0]) << in << " inputs";
  }
}

// Rows that count more have less of the error.
TEST(Int8Calibration, WeightsOfRowsSayWhichErrorsCount) {
  std::mt19937 rng(16), mixing(7);
  ThreadPool pool(1);
  const std::int64_t in = 96;
  Grid2 text = mixed_rows(400, in, mixing, rng), w = Grid2::random(32, in, 0, rng), y(2, 32);
  Grid2 few = Grid2::random(2, in, 0, rng);
  for (std::int64_t r = 0; r < 2; ++r) std::copy_n(&few.at(r, 0), in, &text.at(r, 0));
  double errors[2];
  for (const bool heavy : {false, true}) {
    std::vector<float> weights(400, 1.0f);
    if (heavy) weights[0] = weights[1] = 200;
    const Int8Calibration calibration = int8_calibration(text.view(), weights, pool);
    const Packed packed(w, pool, calibration);
    const Quantized quantized(few.view(), pool, calibration.center);
    const Quantized rest(few.view(), {0, 1}, quantized.view(), pool, calibration.center);
    int8_linear(quantized.view(), packed.weight(), {}, y.view(), kNo, pool);
    int8_linear(rest.view(), without_offsets(packed.weight()), {}, y.view(), kYes, pool);
    errors[heavy ? 1 : 0] = relative_error(y, few, w, pool);
  }
  EXPECT_LT(2 * errors[1], errors[0]);
}

TEST(Int8Quantization, TheRestMakesRowsOfSixteenBits) {
  for (const std::int64_t in : {7, 48, 576}) {
    std::mt19937 rng(12);
    ThreadPool pool(2);
    Grid2 x = Grid2::random(9, in, 2, rng);
    x.at(3, 1) = std::numeric_limits<float>::quiet_NaN();
    std::fill_n(&x.at(4, 0), in, 0.0f);
    const std::vector<std::int32_t> rows{0, 3, 4, 8};
    for_each_isa([&](const std::string&) {
      const Quantized quantized(x.view(), pool), rest(x.view(), rows, quantized.view(), pool);
      EXPECT_TRUE(std::isnan(rest.view().scales[1]));
      EXPECT_EQ(rest.view().scales[2], 0);
      Grid2 w = Grid2::random(16, in, 0, rng), y(9, 16), added(4, 16);
      const Packed packed(w, pool);
      int8_linear(quantized.view(), packed.weight(), {}, y.view(), kNo, pool);
      int8_linear(rest.view(), packed.weight(), {}, added.view(), kNo, pool);
      // What the packed weights stand for, times the rotated row in double.
      const std::int64_t order = hadamard_order(in);
      for (const std::size_t i : {std::size_t{0}, std::size_t{3}}) {
        const std::int32_t r = rows[i];
        for (std::int64_t n = 0; n < 16; ++n) {
          double sum = 0, size = 0;
          for (std::int64_t k = 0; k < in; ++k) {
            double rotated = 0;
            for (std::int64_t j = 0; j < order; ++j) {
              const std::int64_t place = k % order;
              const bool minus = std::popcount(static_cast<std::uint64_t>(place & j)) % 2 != 0;
              rotated += (minus ? -1.0 : 1.0) * double{x.at(r, k - place + j)};
            }
            const double weight =
                double{packed.weight_scale(n)} * reference::int8_element(packed.weight(), in, n, k);
            sum += rotated * weight;
            size += std::abs(rotated * weight);
          }
          const double got = double{y.at(r, n)} + double{added.at(static_cast<std::int64_t>(i), n)};
          EXPECT_NEAR(got, sum, 1e-4 * size + 1e-6) << r << ", " << n;
        }
      }
    });
  }
}

TEST(Int8LinearTest, ALargeInputCostsLittleOnceRotated) {
  EXPECT_LT(product_error(512, 1), 0.015);
  EXPECT_LT(product_error(512, 30), 0.015);
  EXPECT_GT(product_error(509, 1), 1e-3);
  EXPECT_GT(2 * product_error(509, 30), 3 * product_error(512, 30));  // a prime: not rotated
}

TEST(Int8LinearTest, RowsThatAreNotFiniteStayAlone) {
  std::mt19937 rng(6);
  ThreadPool pool(1);
  Grid2 x = Grid2::random(5, 40, 0, rng), w = Grid2::random(20, 40, 0, rng), y(5, 20);
  x.at(3, 7) = std::numeric_limits<float>::infinity();
  x.at(1, 8) = std::numeric_limits<float>::quiet_NaN();
  const Packed packed(w, pool);
  for_each_isa([&](const std::string&) {
    int8_linear(Quantized(x.view(), pool).view(), packed.weight(), {}, y.view(), kNo, pool);
    for (std::int64_t r = 0; r < 5; ++r) {
      for (std::int64_t n = 0; n < 20; ++n) EXPECT_EQ(std::isnan(y.at(r, n)), r == 3 || r == 1);
    }
  });
}

}  // namespace
}  // namespace laurel::kernels
