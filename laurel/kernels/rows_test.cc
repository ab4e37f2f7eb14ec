#include <gtest/gtest.h>

#include <bit>
#include <limits>
#include <numeric>

#include "laurel/kernels/ops.h"
#include "laurel/kernels/reference.h"
#include "laurel/kernels/test_rows.h"

namespace laurel::kernels {
namespace {

using namespace testing;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

const OpCase kOps[] = {
    {"embedding",
     [](RowData& data, ThreadPool& pool) {
       Grid2 y(data.x.rows(), data.x.cols(), 2);
       embedding(data.picks, data.table.weight(RowData::kTableRows, data.x.cols()), y.view(), pool);
       return y;
     },
     [](RowData& data) {
       return reference::embedding(data.picks,
                                   data.table.weight(RowData::kTableRows, data.x.cols()));
     },
     exact},
    {"rms_norm",
     [](RowData& data, ThreadPool& pool) {
       Grid2 y(data.x.rows(), data.x.cols(), 2);
       rms_norm(data.x.view(), data.weight.vector(data.x.cols()), kNormEps, y.view(), pool);
       return y;
     },
     [](RowData& data) {
       return reference::rms_norm(data.x.view(), data.weight.vector(data.x.cols()), kNormEps);
     },
     // 16 chains and a tree of 4 for the sum; mean, eps, root, reciprocal and two products.
     [](RowData& data, std::int64_t, std::int64_t, double want) {
       return std::abs(want) * (static_cast<double>(data.x.cols()) / 16 + 12);
     }},
    {"rotary",
     [](RowData& data, ThreadPool& pool) {
       Grid2 y = data.x;
       rotary(y.view(), 1, data.x.cols(), data.picks, rotary_table(data), pool);
       return y;
     },
     [](RowData& data) {
       return reference::rotary(data.x.view(), 1, data.x.cols(), data.picks, rotary_table(data));
     },
     rotary_bound},
    {"silu_mul",
     [](RowData& data, ThreadPool& pool) {
       Grid2 y = data.x;
       silu_mul(y.view(), data.other.view(), pool);
       return y;
     },
     [](RowData& data) { return reference::silu_mul(data.x.view(), data.other.view()); },
     [](RowData&, std::int64_t, std::int64_t, double want) { return 8 * std::abs(want) + 1e-25; }},
    {"round_to_bf16",
     [](RowData& data, ThreadPool& pool) {
       Grid2 y = data.x;
       round_to_bf16(y.view(), pool);
       return y;
     },
     [](RowData& data) { return reference::round_to_bf16(data.x.view()); }, exact},
    {"gather_rows",
     [](RowData& data, ThreadPool& pool) {
       std::vector<std::int32_t> rows;
       for (const std::int32_t pick : data.picks)
         rows.push_back(pick % static_cast<std::int32_t>(data.x.rows()));
       Grid2 y(data.x.rows(), data.x.cols(), 2);
       gather_rows(data.x.view(), rows, y.view(), pool);
       return y;
     },
     [](RowData& data) {
       std::vector<std::int32_t> rows;
       for (const std::int32_t pick : data.picks)
         rows.push_back(pick % static_cast<std::int32_t>(data.x.rows()));
       return reference::gather_rows(data.x.view(), rows);
     },
     exact},
};

class RowOps : public ::testing::TestWithParam<OpCase> {};
INSTANTIATE_TEST_SUITE_P(Cases, RowOps, ::testing::ValuesIn(kOps),
                         [](const auto& param) { return std::string(param.param.name); });

TEST_P(RowOps, AgreesWithReference) { expect_agrees_with_reference(GetParam()); }
TEST_P(RowOps, BitsDependOnInputsOnly) { expect_bits_depend_on_inputs_only(GetParam()); }

TEST(RmsNormTest, InPlaceGivesTheSameBits) {
  std::mt19937 rng(3);
  Grid2 x = Grid2::random(9, 75, 0, rng);
  const Stored weight(random_values(75, rng), DType::kBF16);
  for_each_isa([&](const std::string&) {
    ThreadPool pool(2);
    Grid2 y(9, 75), in_place = x;
    rms_norm(x.view(), weight.vector(75), kNormEps, y.view(), pool);
    rms_norm(in_place.view(), weight.vector(75), kNormEps, in_place.view(), pool);
    EXPECT_TRUE(same_bits(y, in_place));
  });
}

TEST(RmsNormTest, ZeroRowStaysZeroAndNanSpoilsItsRowOnly) {
  Grid2 x(3, 20);
  for (std::int64_t c = 0; c < 20; ++c) x.at(0, c) = x.at(1, c) = x.at(2, c) = 0;
  x.at(1, 19) = kNan;
  const Stored weight(std::vector<float>(20, 1.0f), DType::kF32);
  for_each_isa([&](const std::string&) {
    ThreadPool pool(1);
    Grid2 y(3, 20);
    rms_norm(x.view(), weight.vector(20), kNormEps, y.view(), pool);
    for (std::int64_t c = 0; c < 20; ++c) {
      EXPECT_EQ(y.at(0, c), 0);
      EXPECT_TRUE(std::isnan(y.at(1, c)));
      EXPECT_EQ(y.at(2, c), 0);
    }
  });
}

// silu over the whole range of float32: no overflow on the way, right at the ends.
TEST(SiluTest, WholeRangeAndSpecialValues) {
  std::vector<float> inputs{0.0f, -0.0f, kInf, 1e38f, -1e38f, -100.0f, 1e-40f, -1e-40f, kNan};
  for (float x = -95; x < 95; x += 0.0137f) inputs.push_back(x);
  const auto count = static_cast<std::int64_t>(inputs.size());
  for_each_isa([&](const std::string&) {
    ThreadPool pool(1);
    Grid2 gate(1, count), up(1, count);
    for (std::int64_t i = 0; i < count; ++i) {
      gate.at(0, i) = inputs[static_cast<std::size_t>(i)];
      up.at(0, i) = 1;
    }
    silu_mul(gate.view(), up.view(), pool);
    for (std::int64_t i = 0; i < count; ++i) {
      const double x = inputs[static_cast<std::size_t>(i)];
      if (std::isnan(x)) {
        EXPECT_TRUE(std::isnan(gate.at(0, i)));
        continue;
      }
      if (std::isinf(x)) {
        EXPECT_EQ(gate.at(0, i), kInf);
        continue;
      }
      const double want = x / (1 + std::exp(-x));
      // e^x below the smallest normal number counts as 0.
      EXPECT_NEAR(gate.at(0, i), want, 6 * kEps * std::abs(want) + 1.2e-38 * std::abs(x)) << x;
    }
  });
}

TEST(RoundToBf16Test, EveryExponentTiesAndSpecialValues) {
  std::vector<float> inputs{kInf,
                            -kInf,
                            kNan,
                            std::bit_cast<float>(0x7f800001u),
                            std::bit_cast<float>(0xffffffffu),
                            3.4028235e38f};
  std::mt19937 rng(4);
  for (std::uint32_t high = 0; high < 0x10000; high += 7) {
    for (const std::uint32_t low : {0x0000u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu})
      inputs.push_back(std::bit_cast<float>(high << 16 | low));
  }
  for_each_isa([&](const std::string&) {
    ThreadPool pool(2);
    std::vector<float> values = inputs;
    const auto count = static_cast<std::int64_t>(values.size());
    round_to_bf16({values.data(), 1, count, count}, pool);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const float want = bf16_to_float(float_to_bf16(inputs[i]));
      ASSERT_EQ(std::bit_cast<std::uint32_t>(values[i]), std::bit_cast<std::uint32_t>(want))
          << inputs[i];
    }
  });
}

TEST(RowOpsTest, NoRowsIsNoWork) {
  ThreadPool pool(2);
  const Stored weight(std::vector<float>(8, 1.0f), DType::kF32);
  const Matrix empty{nullptr, 0, 8, 8};
  rms_norm(empty, weight.vector(8), kNormEps, empty, pool);
  silu_mul(empty, empty, pool);
  linear(empty, weight.weight(1, 8), {}, {nullptr, 0, 1, 1}, Accumulate::kNo, pool);
  forest_attention(empty, empty, empty, {}, {}, {2, 1, 4, 1.0f}, empty, pool);
}

}  // namespace
}  // namespace laurel::kernels
