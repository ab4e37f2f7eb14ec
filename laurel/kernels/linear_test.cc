#include <gtest/gtest.h>

#include <limits>

#include "laurel/base/error.h"
#include "laurel/kernels/ops.h"
#include "laurel/kernels/partition.h"
#include "laurel/kernels/reference.h"
#include "laurel/kernels/test_data.h"

namespace laurel::kernels {
namespace {

using namespace testing;

struct LinearCase {
  std::int64_t rows, in, out;
  DType dtype;
  std::size_t misalignment;
  bool bias;
  Accumulate accumulate;
};

void PrintTo(const LinearCase& c, std::ostream* os) {
  *os << c.rows << "x" << c.in << " to " << c.out << " " << dtype_name(c.dtype);
}

constexpr auto kNo = Accumulate::kNo;
constexpr auto kYes = Accumulate::kYes;

// Sizes around the tile (14 or 6 rows, 2 to 32 columns), the depth steps (384), the groups of tiles
// (up to 126 rows) and the blocks (512 or 1024 rows, up to 1024 columns).
const LinearCase kLinearCases[] = {
    {1, 1, 1, DType::kF32, 0, false, kNo},       {1, 576, 192, DType::kBF16, 0, false, kNo},
    {2, 7, 5, DType::kF32, 4, true, kNo},        {3, 64, 33, DType::kBF16, 1, true, kYes},
    {5, 383, 31, DType::kF16, 1, true, kYes},    {6, 384, 32, DType::kF32, 0, false, kYes},
    {7, 385, 64, DType::kBF16, 3, true, kNo},    {13, 392, 65, DType::kF16, 0, false, kNo},
    {14, 576, 100, DType::kBF16, 2, true, kYes}, {15, 769, 40, DType::kF32, 1, true, kYes},
    {29, 100, 129, DType::kF16, 5, false, kYes}, {64, 1536, 72, DType::kBF16, 0, false, kYes},
    {513, 40, 70, DType::kF32, 0, true, kYes},   {40, 0, 3, DType::kF32, 0, true, kYes},
    {20, 24, 1000, DType::kBF16, 0, true, kNo},  {9, 1200, 1, DType::kF32, 0, false, kNo},
    {140, 800, 130, DType::kF32, 0, true, kYes}, {127, 400, 1060, DType::kBF16, 1, false, kNo},
    {1025, 16, 20, DType::kF16, 0, false, kYes},
};

struct LinearData {
  Grid2 x, old;
  Stored weight, bias;

  LinearData(const LinearCase& c, std::mt19937& rng)
      : x(Grid2::random(c.rows, c.in, 3, rng)),
        old(Grid2::random(c.rows, c.out, 5, rng)),
        weight(random_values(c.out * c.in, rng), c.dtype, c.misalignment),
        bias(random_values(c.out, rng), c.dtype, c.misalignment) {}
};

// Of every block type: the bits of the same weight in float32, with depths beyond the steps.
TEST(LinearBlocks, GivesTheBitsOfTheDecodedWeight) {
  std::mt19937 rng(9);
  for (const DType dtype : block_dtypes()) {
    SCOPED_TRACE(dtype_name(dtype));
    const std::int64_t block = dtype_info(dtype).block_elements;
    for (const std::int64_t in : {block, 2 * block, 13 * block}) {
      for (const std::int64_t out : {1, 33, 64, 70}) {
        const StoredBlocks stored(out, in, dtype, rng);
        const Grid2 x = Grid2::random(17, in, 3, rng), old = Grid2::random(17, out, 5, rng);
        for_each_isa([&](const std::string&) {
          for (const int threads : {1, 3}) {
            ThreadPool pool(threads);
            Grid2 in_x = x, want = old, got = old;
            linear(in_x.view(), stored.as_floats(), {}, want.view(), kYes, pool);
            linear(in_x.view(), stored.weight(), {}, got.view(), kYes, pool);
            EXPECT_TRUE(same_bits(got, want)) << in << " to " << out;
          }
        });
      }
    }
  }
}

TEST(LinearBlocks, EmbeddingDecodesRows) {
  std::mt19937 rng(10);
  ThreadPool pool(2);
  const std::vector<std::int32_t> ids{5, 0, 5, 8};
  for (const DType dtype : block_dtypes()) {
    const StoredBlocks table(9, 512, dtype, rng);
    Grid2 got(4, 512), want(4, 512);
    embedding(ids, table.weight(), got.view(), pool);
    embedding(ids, table.as_floats(), want.view(), pool);
    EXPECT_TRUE(same_bits(got, want)) << dtype_name(dtype);
    for (const std::int64_t i : {0, 31, 255, 4000})
      EXPECT_EQ(load_element(table.weight().data, dtype, i),
                load_element(table.as_floats().data, DType::kF32, i));
  }
}

class Linear : public ::testing::TestWithParam<LinearCase> {};
INSTANTIATE_TEST_SUITE_P(Cases, Linear, ::testing::ValuesIn(kLinearCases));

// The sum of absolute products: the scale of rounding errors.
std::vector<double> magnitudes(LinearData& data, const LinearCase& c) {
  std::vector<float> weights, biases;
  const Weight w = data.weight.weight(c.out, c.in);
  for (std::int64_t i = 0; i < c.out * c.in; ++i)
    weights.push_back(std::abs(load_element(w.data, w.dtype, i)));
  const VectorParameter b = data.bias.vector(c.out);
  for (std::int64_t i = 0; i < c.out; ++i)
    biases.push_back(std::abs(load_element(b.data, b.dtype, i)));
  Grid2 x = data.x.absolute(), old = data.old.absolute();
  return reference::linear(x.view(), {weights.data(), DType::kF32, c.out, c.in},
                           {c.bias ? biases.data() : nullptr, DType::kF32, c.out}, old.view(),
                           c.accumulate);
}

TEST_P(Linear, AgreesWithReference) {
  const LinearCase& c = GetParam();
  std::mt19937 rng(1);
  LinearData data(c, rng);
  const VectorParameter bias = c.bias ? data.bias.vector(c.out) : VectorParameter{};
  const Weight weight = data.weight.weight(c.out, c.in);
  const std::vector<double> want =
      reference::linear(data.x.view(), weight, bias, data.old.view(), c.accumulate);
  std::vector<double> bound = magnitudes(data, c);
  for (double& value : bound) value *= static_cast<double>(2 * c.in + 3) * kEps;
  for_each_isa([&](const std::string&) {
    for (const int threads : {1, 3}) {
      ThreadPool pool(threads);
      Grid2 y = data.old;
      linear(data.x.view(), weight, bias, y.view(), c.accumulate, pool);
      expect_close(y, want, bound);
    }
  });
}

TEST_P(Linear, BitsDoNotDependOnThreadsOrOtherRows) {
  const LinearCase& c = GetParam();
  std::mt19937 rng(2);
  LinearData data(c, rng);
  const VectorParameter bias = c.bias ? data.bias.vector(c.out) : VectorParameter{};
  const Weight weight = data.weight.weight(c.out, c.in);
  for_each_isa([&](const std::string&) {
    ThreadPool one(1);
    Grid2 whole = data.old;
    linear(data.x.view(), weight, bias, whole.view(), c.accumulate, one);
    for (const int threads : {2, 3, 5, 16}) {
      ThreadPool pool(threads);
      Grid2 y = data.old;
      linear(data.x.view(), weight, bias, y.view(), c.accumulate, pool);
      EXPECT_TRUE(same_bits(y, whole)) << threads << " threads";
    }
    Grid2 pieces = data.old;
    for (std::int64_t r = 0; r < c.rows;) {
      const std::int64_t count =
          std::min(c.rows - r, std::uniform_int_distribution<std::int64_t>(1, 40)(rng));
      const Matrix x = data.x.view(), y = pieces.view();
      linear({x.row(r), count, x.cols, x.stride}, weight, bias, {y.row(r), count, y.cols, y.stride},
             c.accumulate, one);
      r += count;
    }
    EXPECT_TRUE(same_bits(pieces, whole)) << "cut into groups of rows";
  });
}

// Instruction sets either fuse multiply and add or they do not; within a kind all bits agree.
TEST_P(Linear, BitsAgreeBetweenInstructionSets) {
  const LinearCase& c = GetParam();
  std::mt19937 rng(3);
  LinearData data(c, rng);
  ThreadPool pool(1);
  const auto result = [&] {
    Grid2 y = data.old;
    linear(data.x.view(), data.weight.weight(c.out, c.in), data.bias.vector(c.out), y.view(),
           c.accumulate, pool);
    return y;
  };
  expect_same_bits_between_isas(result);
}

// Exactly the documented order: a chain of fused multiply-adds from 0, then bias, then the old
// value.
TEST_P(Linear, FollowsTheDocumentedChain) {
  const LinearCase& c = GetParam();
  std::mt19937 rng(4);
  LinearData data(c, rng);
  const Weight w = data.weight.weight(c.out, c.in);
  const VectorParameter b = data.bias.vector(c.out);
  Grid2 want = data.old;
  for (std::int64_t r = 0; r < c.rows; ++r) {
    for (std::int64_t n = 0; n < c.out; ++n) {
      float sum = 0;
      for (std::int64_t k = 0; k < c.in; ++k)
        sum = std::fma(data.x.at(r, k), load_element(w.data, w.dtype, n * c.in + k), sum);
      sum += load_element(b.data, b.dtype, n);
      want.at(r, n) = c.accumulate == kYes ? sum + want.at(r, n) : sum;
    }
  }
  ThreadPool pool(2);
  for_each_isa([&](const std::string& isa) {
    if (!fuses(isa)) return;
    Grid2 y = data.old;
    linear(data.x.view(), w, b, y.view(), c.accumulate, pool);
    EXPECT_TRUE(same_bits(y, want));
  });
}

TEST(LinearTest, NonFiniteInputsStayInTheirRowAndColumn) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const std::int64_t in = 40, out = 35;
  std::mt19937 rng(5);
  Grid2 x = Grid2::random(20, in, 0, rng);
  x.at(3, 7) = kNan;
  x.at(17, 0) = kInf;
  std::vector<float> weights = random_values(out * in, rng);
  weights[static_cast<std::size_t>(11 * in + 39)] = kNan;
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
    const Stored stored(weights, dtype, 1);
    for_each_isa([&](const std::string&) {
      ThreadPool pool(2);
      Grid2 y(20, out);
      linear(x.view(), stored.weight(out, in), {}, y.view(), kNo, pool);
      for (std::int64_t r = 0; r < 20; ++r) {
        for (std::int64_t c = 0; c < out; ++c) {
          if (r == 3 || c == 11) {
            EXPECT_TRUE(std::isnan(y.at(r, c))) << r << ", " << c;
          } else {
            EXPECT_EQ(std::isinf(y.at(r, c)), r == 17) << r << ", " << c;
          }
        }
      }
    });
  }
}

// Every 16-bit pattern comes through exactly: identity times weight.
TEST(LinearTest, ExpandsEveryHalfPrecisionNumber) {
  Grid2 one(1, 8);
  for (std::int64_t i = 0; i < 8; ++i) one.at(0, i) = i == 0 ? 1.0f : 0.0f;
  std::vector<std::uint16_t> bits(std::size_t{65536} * 8);
  for (std::size_t i = 0; i < 65536; ++i) bits[i * 8] = static_cast<std::uint16_t>(i);
  for (const DType dtype : {DType::kBF16, DType::kF16}) {
    for_each_isa([&](const std::string&) {
      ThreadPool pool(1);
      Grid2 y(1, 65536);
      linear(one.view(), {bits.data(), dtype, 65536, 8}, {}, y.view(), kNo, pool);
      for (std::int64_t i = 0; i < 65536; ++i) {
        const float want = load_element(bits.data(), dtype, i * 8);
        if (std::isnan(want)) {
          ASSERT_TRUE(std::isnan(y.at(0, i))) << i;
        } else {
          ASSERT_EQ(y.at(0, i), want) << i;
        }
      }
    });
  }
}

TEST(PartitionTest, GridUsesAtMostTheThreadsAndBalances) {
  for (std::int64_t threads = 1; threads <= 9; ++threads) {
    for (const std::int64_t rows : {1, 5, 64, 1024}) {
      for (const std::int64_t units : {1, 6, 18, 100}) {
        const Grid grid = best_grid(rows, units, 6, threads);
        EXPECT_LE(grid.row_parts * grid.col_parts, threads);
        EXPECT_GE(grid.row_parts * grid.col_parts, 1);
        EXPECT_LE(grid.row_parts, rows);
        EXPECT_LE(grid.col_parts, units);
      }
    }
  }
  EXPECT_EQ(best_grid(1024, 6, 6, 2).col_parts, 2);
  EXPECT_EQ(best_grid(1024, 1, 6, 2).row_parts, 2);
}

TEST(PartitionTest, ColumnsAreDividedWhereThatSavesEnough) {
  constexpr double kSaving = 1.0 / 32;
  EXPECT_EQ(best_grid(504, 48, 4, 2).col_parts, 2);  // saves 1 %
  EXPECT_EQ(best_grid(504, 48, 4, 2, kSaving).row_parts, 2);
  EXPECT_EQ(best_grid(6, 48, 4, 2, kSaving).col_parts, 2);
}

// What the slowest thread has to do decides: the mean over the threads, divided by the largest
// part.
TEST(PartitionTest, SixtyFourThreadsShareAPackEvenly) {
  constexpr std::int64_t kThreads = 64, kRows = 4096, kOverhead = 6;
  for (const std::int64_t panel_cols : {16, 32}) {
    for (const std::int64_t cols : {192, 576, 1536, 512, 2048, 8192, 1024, 4096, 14336}) {
      const std::int64_t units = ceil_div(cols, panel_cols);
      const Grid grid = best_grid(kRows, units, kOverhead, kThreads);
      const std::int64_t largest =
          ceil_div(units, grid.col_parts) * (ceil_div(kRows, grid.row_parts) + kOverhead);
      const double mean = static_cast<double>(units * kRows) / kThreads;
      EXPECT_GE(mean / static_cast<double>(largest), 0.95) << cols << " / " << panel_cols;
    }
  }
}

TEST(IsaTest, SelectsByNameAndRefusesOthers) {
  const std::vector<std::string> names = available_isas();
  ASSERT_FALSE(names.empty());
  EXPECT_EQ(names.front(), "scalar");
  for (const std::string& name : names) {
    select_isa(name);
    EXPECT_STRNE(active_isa(), "") << name;
  }
  select_isa("best");
  const std::string best = active_isa();
  select_isa(names.back());
  EXPECT_EQ(best, active_isa());
  select_isa("best");
  try {
    select_isa("mmx");
    FAIL() << "no error";
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), ::testing::StartsWith(
                                  "instruction set: not available, expected one of best, scalar"));
    EXPECT_THAT(error.what(), ::testing::EndsWith(", got mmx"));
  }
}

}  // namespace
}  // namespace laurel::kernels
