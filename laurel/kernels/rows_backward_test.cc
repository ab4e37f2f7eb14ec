#include <gtest/gtest.h>

#include <algorithm>

#include "laurel/kernels/backward.h"
#include "laurel/kernels/reference.h"
#include "laurel/kernels/reference_backward.h"
#include "laurel/kernels/test_rows.h"

namespace laurel::kernels {
namespace {

using namespace testing;

constexpr auto kNo = Accumulate::kNo;
constexpr auto kYes = Accumulate::kYes;

// Roundings on the way to 1 / rms: 16 chains and a tree of 4 for the sum; mean, eps, root,
// reciprocal.
double norm_roundings(const RowData& data) { return static_cast<double>(data.x.cols()) / 16 + 12; }

Grid2 norm_dx(RowData& data, Accumulate accumulate, ThreadPool& pool) {
  Grid2 dx = data.other;
  rms_norm_backward(data.x.view(), data.weight.vector(data.x.cols()), kNormEps, data.dy.view(),
                    dx.view(), accumulate, {}, pool);
  return dx;
}

reference::NormGradients norm_reference(RowData& data, Accumulate accumulate) {
  return reference::rms_norm_backward(
      data.x.view(), data.weight.vector(data.x.cols()), kNormEps, data.dy.view(), data.other.view(),
      accumulate, std::span(data.parameters).first(static_cast<std::size_t>(data.x.cols())));
}

double norm_dx_bound(RowData& data, std::int64_t r, std::int64_t c, double) {
  const auto row = static_cast<std::size_t>(r);
  const double s = data.inverse_rms[row];
  const double direct = std::abs(data.weight_at(c) * double{data.dy.at(r, c)}) * s;
  const double pull = std::abs(double{data.x.at(r, c)}) * s * s * s * data.mean_pull[row];
  return norm_roundings(data) * (direct + 4 * pull) + std::abs(double{data.other.at(r, c)}) + 2;
}

std::vector<std::int32_t> target_rows(const RowData& data) {
  std::vector<std::int32_t> rows = data.picks;
  for (std::int32_t& row : rows) row %= static_cast<std::int32_t>((data.x.rows() + 1) / 2);
  return rows;
}

// The sum of absolute terms, once for each term.
double scatter_bound(RowData& data, std::int64_t r, std::int64_t c, double) {
  const std::vector<std::int32_t> rows = target_rows(data);
  double sum = std::abs(double{data.other.at(r, c)});
  double terms = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i] != r) continue;
    sum += std::abs(double{data.x.at(static_cast<std::int64_t>(i), c)});
    ++terms;
  }
  return sum * terms;
}

reference::SiluMulGradients silu_reference(RowData& data) {
  return reference::silu_mul_backward(data.x.view(), data.other.view(), data.dy.view());
}

const OpCase kOps[] = {
    {"rms_norm_backward", [](RowData& data, ThreadPool& pool) { return norm_dx(data, kNo, pool); },
     [](RowData& data) { return norm_reference(data, kNo).dx; }, norm_dx_bound},
    {"rms_norm_backward_add",
     [](RowData& data, ThreadPool& pool) { return norm_dx(data, kYes, pool); },
     [](RowData& data) { return norm_reference(data, kYes).dx; }, norm_dx_bound},
    {"rms_norm_backward_weight",
     [](RowData& data, ThreadPool& pool) {
       Grid2 dx = data.other, dweight(1, data.x.cols());
       std::copy_n(data.parameters.begin(), data.x.cols(), dweight.view().data);
       rms_norm_backward(data.x.view(), data.weight.vector(data.x.cols()), kNormEps, data.dy.view(),
                         dx.view(), kNo,
                         {dweight.view().data, static_cast<std::size_t>(data.x.cols())}, pool);
       return dweight;
     },
     [](RowData& data) { return norm_reference(data, kNo).dweight; },
     [](RowData& data, std::int64_t, std::int64_t c, double) {
       double sum = std::abs(double{data.parameters[static_cast<std::size_t>(c)]});
       for (std::int64_t r = 0; r < data.x.rows(); ++r)
         sum += std::abs(double{data.dy.at(r, c)} * double{data.x.at(r, c)}) *
                data.inverse_rms[static_cast<std::size_t>(r)];
       return sum * (norm_roundings(data) + static_cast<double>(data.x.rows()) + 3);
     }},
    {"rotary_backward",
     [](RowData& data, ThreadPool& pool) {
       Grid2 dx = data.x;
       rotary_backward(dx.view(), 1, data.x.cols(), data.picks, rotary_table(data), pool);
       return dx;
     },
     [](RowData& data) {
       return reference::rotary_backward(data.x.view(), 1, data.x.cols(), data.picks,
                                         rotary_table(data));
     },
     rotary_bound},
    {"silu_mul",
     [](RowData& data, ThreadPool& pool) {
       Grid2 y(data.x.rows(), data.x.cols(), 4);
       silu_mul(data.x.view(), data.other.view(), y.view(), pool);
       return y;
     },
     [](RowData& data) { return reference::silu_mul(data.x.view(), data.other.view()); },
     [](RowData&, std::int64_t, std::int64_t, double want) { return 8 * std::abs(want) + 1e-25; }},
    {"silu_mul_backward_gate",
     [](RowData& data, ThreadPool& pool) {
       Grid2 dgate(data.x.rows(), data.x.cols(), 4), dup = dgate;
       silu_mul_backward(data.x.view(), data.other.view(), data.dy.view(), dgate.view(), dup.view(),
                         pool);
       return dgate;
     },
     [](RowData& data) { return silu_reference(data).dgate; },
     // σ and 1 - σ are within 6 roundings each; products and one sum follow.
     [](RowData& data, std::int64_t r, std::int64_t c, double) {
       const double g = data.x.at(r, c), sigmoid = 1 / (1 + std::exp(-g));
       const double terms = sigmoid * (1 + std::abs(g) * (1 - sigmoid));
       return std::abs(double{data.dy.at(r, c)} * double{data.other.at(r, c)}) * 16 * terms;
     }},
    {"silu_mul_backward_up",
     [](RowData& data, ThreadPool& pool) {
       Grid2 dgate(data.x.rows(), data.x.cols(), 4), dup = dgate;
       silu_mul_backward(data.x.view(), data.other.view(), data.dy.view(), dgate.view(), dup.view(),
                         pool);
       return dup;
     },
     [](RowData& data) { return silu_reference(data).dup; },
     [](RowData&, std::int64_t, std::int64_t, double want) { return 9 * std::abs(want) + 1e-25; }},
    {"embedding_backward",
     [](RowData& data, ThreadPool& pool) {
       Grid2 table = data.other;
       embedding_backward(target_rows(data), data.x.view(), table.view(), pool);
       return table;
     },
     [](RowData& data) {
       return reference::scatter_add_rows(data.x.view(), target_rows(data), data.other.view());
     },
     scatter_bound},
    {"scatter_add_rows",
     [](RowData& data, ThreadPool& pool) {
       Grid2 y = data.other;
       scatter_add_rows(data.x.view(), target_rows(data), y.view(), pool);
       return y;
     },
     [](RowData& data) {
       return reference::scatter_add_rows(data.x.view(), target_rows(data), data.other.view());
     },
     scatter_bound},
    {"add",
     [](RowData& data, ThreadPool& pool) {
       Grid2 y = data.other;
       add(data.x.view(), y.view(), pool);
       return y;
     },
     [](RowData& data) { return reference::add(data.x.view(), data.other.view()); },
     [](RowData&, std::int64_t, std::int64_t, double want) { return std::abs(want); }},
};

class RowBackward : public ::testing::TestWithParam<OpCase> {};
INSTANTIATE_TEST_SUITE_P(Cases, RowBackward, ::testing::ValuesIn(kOps),
                         [](const auto& param) { return std::string(param.param.name); });

TEST_P(RowBackward, AgreesWithReference) { expect_agrees_with_reference(GetParam()); }
TEST_P(RowBackward, BitsDependOnInputsOnly) { expect_bits_depend_on_inputs_only(GetParam()); }

// Outputs in the place of inputs, as the header allows.
class InPlace : public ::testing::Test {
 protected:
  std::mt19937 rng_{3};
  RowData data_{9, 75, DType::kBF16, rng_};
  ThreadPool pool_{2};
};

TEST_F(InPlace, RmsNormBackward) {
  for_each_isa([&](const std::string&) {
    const std::vector<float> zero(75);
    std::vector<float> dweight = zero, dweight_in_place = zero;
    const VectorParameter weight = data_.weight.vector(75);
    Grid2 dx(9, 75, 2), dy = data_.dy;
    rms_norm_backward(data_.x.view(), weight, kNormEps, dy.view(), dx.view(), kNo, dweight, pool_);
    rms_norm_backward(data_.x.view(), weight, kNormEps, dy.view(), dy.view(), kNo, dweight_in_place,
                      pool_);
    EXPECT_TRUE(same_bits(dy, dx));
    EXPECT_EQ(dweight_in_place, dweight);
  });
}

TEST_F(InPlace, SiluMul) {
  for_each_isa([&](const std::string&) {
    Grid2 y(9, 75, 3), gate = data_.x, up = data_.other;
    silu_mul(gate.view(), up.view(), y.view(), pool_);
    Grid2 y_of_up(9, 75, 1), other = data_.other;
    silu_mul(gate.view(), other.view(), other.view(), pool_);
    silu_mul(gate.view(), up.view(), gate.view(), pool_);
    EXPECT_TRUE(same_bits(gate, y));
    for (std::int64_t r = 0; r < 9; ++r) {
      for (std::int64_t c = 0; c < 75; ++c) EXPECT_EQ(other.at(r, c), y.at(r, c));
    }
  });
}

TEST_F(InPlace, SiluMulBackward) {
  for_each_isa([&](const std::string&) {
    const Grid2 empty(9, 75);
    Grid2 dgate = empty, dup = empty;
    silu_mul_backward(data_.x.view(), data_.other.view(), data_.dy.view(), dgate.view(), dup.view(),
                      pool_);
    const auto same = [](Grid2& a, Grid2& b) {
      for (std::int64_t r = 0; r < 9; ++r) {
        for (std::int64_t c = 0; c < 75; ++c) {
          if (a.at(r, c) != b.at(r, c)) return false;
        }
      }
      return true;
    };
    Grid2 gate = data_.x, up = data_.other, dy = data_.dy, other = empty;
    silu_mul_backward(gate.view(), up.view(), dy.view(), gate.view(), up.view(), pool_);
    EXPECT_TRUE(same(gate, dgate) && same(up, dup));
    silu_mul_backward(data_.x.view(), data_.other.view(), dy.view(), dy.view(), other.view(),
                      pool_);
    EXPECT_TRUE(same(dy, dgate) && same(other, dup));
    dy = data_.dy;
    silu_mul_backward(data_.x.view(), data_.other.view(), dy.view(), other.view(), dy.view(),
                      pool_);
    EXPECT_TRUE(same(other, dgate) && same(dy, dup));
  });
}

// The references are derivatives of the forward references: central differences of Σ dy · f, whose
// error is about step² / 6 times the third derivative.
class Derivatives : public ::testing::Test {
 protected:
  static constexpr std::int64_t kRows = 5, kCols = 10;
  std::mt19937 rng_{4};
  RowData data_{kRows, kCols, DType::kF32, rng_};

  double weigh(const std::vector<double>& y) {
    double sum = 0;
    for (std::int64_t i = 0; i < kRows * kCols; ++i)
      sum += y[static_cast<std::size_t>(i)] * double{data_.dy.at(i / kCols, i % kCols)};
    return sum;
  }
  template <typename Forward>
  void expect_gradient(Grid2& input, const Forward& forward, const std::vector<double>& gradient) {
    constexpr float kStep = 0x1p-10f;
    for (std::int64_t i = 0; i < input.rows() * kCols; ++i) {
      float& variable = input.at(i / kCols, i % kCols);
      const float old = variable;
      variable = old + kStep;
      const double up = weigh(forward()), above = double{variable};
      variable = old - kStep;
      const double down = weigh(forward());
      const double difference = (up - down) / (above - double{variable});
      variable = old;
      EXPECT_NEAR(gradient[static_cast<std::size_t>(i)], difference, 3e-6) << i;
    }
  }
};

TEST_F(Derivatives, RmsNorm) {
  Grid2 weight = Grid2::random(1, kCols, 0, rng_), zero = weight;
  std::fill_n(zero.view().data, kCols, 0.0f);
  const VectorParameter parameter{weight.view().data, DType::kF32, kCols};
  const reference::NormGradients got = reference::rms_norm_backward(
      data_.x.view(), parameter, kNormEps, data_.dy.view(), {}, kNo, zero.values());
  const auto forward = [&] { return reference::rms_norm(data_.x.view(), parameter, kNormEps); };
  expect_gradient(data_.x, forward, got.dx);
  expect_gradient(weight, forward, got.dweight);
}

TEST_F(Derivatives, Rotary) {
  expect_gradient(
      data_.x,
      [&] { return reference::rotary(data_.x.view(), 1, kCols, data_.picks, rotary_table(data_)); },
      reference::rotary_backward(data_.dy.view(), 1, kCols, data_.picks, rotary_table(data_)));
}

TEST_F(Derivatives, SiluMul) {
  const reference::SiluMulGradients got = silu_reference(data_);
  const auto forward = [&] { return reference::silu_mul(data_.x.view(), data_.other.view()); };
  expect_gradient(data_.x, forward, got.dgate);
  expect_gradient(data_.other, forward, got.dup);
}

// gather_rows and scatter_add_rows are transposes of each other.
TEST_F(Derivatives, GatherRows) {
  const std::vector<std::int32_t> rows = target_rows(data_);
  Grid2 zero = data_.x;
  for (std::int64_t i = 0; i < kRows * kCols; ++i) zero.at(i / kCols, i % kCols) = 0;
  expect_gradient(
      data_.x, [&] { return reference::gather_rows(data_.x.view(), rows); },
      reference::scatter_add_rows(data_.dy.view(), rows, zero.view()));
}

// The whole range of float32: no overflow or NaN on the way.
TEST(SiluMulBackwardTest, WholeRange) {
  std::vector<float> inputs{0.0f, -0.0f, 1e38f, -1e38f, 1e-40f, -1e-40f};
  for (float x = -110; x < 110; x += 0.0137f) inputs.push_back(x);
  const auto count = static_cast<std::int64_t>(inputs.size());
  std::vector<float> ones(inputs.size(), 1.0f), dgate = ones, dup = ones;
  const auto row = [&](std::vector<float>& values) {
    return Matrix{values.data(), 1, count, count};
  };
  for_each_isa([&](const std::string&) {
    ThreadPool pool(1);
    silu_mul_backward(row(inputs), row(ones), row(ones), row(dgate), row(dup), pool);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const double x = inputs[i];
      const double sigmoid = 1 / (1 + std::exp(-x)), rest = 1 / (1 + std::exp(x));
      const double slope = sigmoid * (1 + x * rest);
      // e^x below the smallest normal number counts as 0.
      const double tiny = 1.2e-38 * (1 + std::abs(x));
      EXPECT_NEAR(dgate[i], slope, 16 * kEps * sigmoid * (1 + std::abs(x) * rest) + tiny) << x;
      EXPECT_NEAR(dup[i], x * sigmoid, 8 * kEps * std::abs(x * sigmoid) + tiny) << x;
    }
  });
}

TEST(RowBackwardTest, NoRowsIsNoWork) {
  ThreadPool pool(2);
  const Stored weight(std::vector<float>(8, 1.0f), DType::kF32);
  std::vector<float> old(8, 3.0f);
  const Matrix empty{nullptr, 0, 8, 8};
  rms_norm_backward(empty, weight.vector(8), kNormEps, empty, empty, kNo, old, pool);
  linear_bias_gradient(empty, old, pool);
  scatter_add_rows(empty, {}, {old.data(), 1, 8, 8}, pool);
  silu_mul_backward(empty, empty, empty, empty, empty, pool);
  rotary_backward(empty, 2, 4, {}, {}, pool);
  add(empty, empty, pool);
  EXPECT_EQ(old, std::vector<float>(8, 3.0f));
}

}  // namespace
}  // namespace laurel::kernels
