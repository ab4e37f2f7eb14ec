#include <gtest/gtest.h>

#include "laurel/kernels/backward.h"
#include "laurel/kernels/reference.h"
#include "laurel/kernels/reference_backward.h"
#include "laurel/kernels/test_data.h"

namespace laurel::kernels {
namespace {

using namespace testing;

struct GradientCase {
  std::int64_t rows, in, out;
  DType dtype;
  std::size_t misalignment;
  Accumulate accumulate;
};

void PrintTo(const GradientCase& c, std::ostream* os) {
  *os << c.rows << " rows, " << c.in << " to " << c.out << " " << dtype_name(c.dtype);
}

constexpr auto kNo = Accumulate::kNo;
constexpr auto kYes = Accumulate::kYes;

// Sizes around the tile (14 or 6 rows, 2 to 32 columns), the depth steps (384), the groups of tiles
// (up to 126 rows) and the blocks (512 or 1024 rows), in each of the three dimensions.
const GradientCase kCases[] = {
    {1, 1, 1, DType::kF32, 0, kNo},       {1, 576, 192, DType::kBF16, 0, kYes},
    {2, 7, 5, DType::kF32, 4, kYes},      {3, 64, 33, DType::kBF16, 1, kNo},
    {5, 31, 383, DType::kF16, 1, kYes},   {6, 32, 384, DType::kF32, 0, kNo},
    {7, 64, 385, DType::kBF16, 3, kYes},  {383, 65, 13, DType::kF16, 0, kNo},
    {384, 32, 14, DType::kF32, 1, kYes},  {385, 40, 15, DType::kBF16, 2, kNo},
    {769, 33, 29, DType::kF16, 5, kYes},  {72, 70, 1040, DType::kBF16, 0, kYes},
    {0, 24, 10, DType::kF32, 0, kYes},    {40, 3, 0, DType::kF32, 0, kNo},
    {1200, 1, 9, DType::kF32, 0, kNo},    {20, 1000, 24, DType::kBF16, 1, kNo},
    {140, 300, 500, DType::kF32, 0, kNo},
};

struct GradientData {
  Grid2 x, dy, dx, dw;  // dx and dw: the old values
  Stored weight;

  GradientData(const GradientCase& c, std::mt19937& rng)
      : x(Grid2::random(c.rows, c.in, 3, rng)),
        dy(Grid2::random(c.rows, c.out, 1, rng)),
        dx(Grid2::random(c.rows, c.in, 2, rng)),
        dw(Grid2::random(c.out, c.in, 5, rng)),
        weight(random_values(c.out * c.in, rng), c.dtype, c.misalignment) {}
};

class LinearGradient : public ::testing::TestWithParam<GradientCase> {
 protected:
  const GradientCase& c_ = GetParam();
  std::mt19937 rng_{1};
  GradientData data_{c_, rng_};
  Weight weight_ = data_.weight.weight(c_.out, c_.in);

  Grid2 input_gradient(ThreadPool& pool) {
    Grid2 dx = data_.dx;
    linear_input_gradient(data_.dy.view(), weight_, dx.view(), c_.accumulate, pool);
    return dx;
  }
  Grid2 weight_gradient(ThreadPool& pool) {
    Grid2 dw = data_.dw;
    linear_weight_gradient(data_.dy.view(), data_.x.view(), dw.view(), pool);
    return dw;
  }
  // The sums of absolute products: the scale of rounding errors.
  std::vector<double> scaled(std::vector<double> magnitudes, std::int64_t depth) {
    for (double& value : magnitudes) value *= static_cast<double>(2 * depth + 3) * kEps;
    return magnitudes;
  }
};
INSTANTIATE_TEST_SUITE_P(Cases, LinearGradient, ::testing::ValuesIn(kCases));

TEST_P(LinearGradient, OfInputAgreesWithReference) {
  std::vector<float> weights;
  for (std::int64_t i = 0; i < c_.out * c_.in; ++i)
    weights.push_back(std::abs(load_element(weight_.data, weight_.dtype, i)));
  Grid2 dy = data_.dy.absolute(), old = data_.dx.absolute();
  const std::vector<double> bound =
      scaled(reference::linear_input_gradient(
                 dy.view(), {weights.data(), DType::kF32, c_.out, c_.in}, old.view(), kYes),
             c_.out);
  const std::vector<double> want =
      reference::linear_input_gradient(data_.dy.view(), weight_, data_.dx.view(), c_.accumulate);
  for_each_isa([&](const std::string&) {
    for (const int threads : {1, 3}) {
      ThreadPool pool(threads);
      Grid2 dx = input_gradient(pool);
      expect_close(dx, want, bound);
    }
  });
}

TEST_P(LinearGradient, OfWeightAgreesWithReference) {
  Grid2 x = data_.x.absolute(), dy = data_.dy.absolute(), old = data_.dw.absolute();
  const std::vector<double> bound =
      scaled(reference::linear_weight_gradient(dy.view(), x.view(), old.view()), c_.rows);
  const std::vector<double> want =
      reference::linear_weight_gradient(data_.dy.view(), data_.x.view(), data_.dw.view());
  for_each_isa([&](const std::string&) {
    for (const int threads : {1, 3}) {
      ThreadPool pool(threads);
      Grid2 dw = weight_gradient(pool);
      expect_close(dw, want, bound);
    }
  });
}

TEST_P(LinearGradient, BitsDependOnInputsOnly) {
  ThreadPool one(1);
  expect_same_bits_between_isas([&] { return input_gradient(one); });
  expect_same_bits_between_isas([&] { return weight_gradient(one); });
  for_each_isa([&](const std::string&) {
    const Grid2 dx = input_gradient(one), dw = weight_gradient(one);
    for (const int threads : {2, 3, 5, 16}) {
      ThreadPool pool(threads);
      EXPECT_TRUE(same_bits(input_gradient(pool), dx)) << threads << " threads";
      EXPECT_TRUE(same_bits(weight_gradient(pool), dw)) << threads << " threads";
    }
  });
}

// Row by row, or in any groups of rows: the input's gradient, because rows are independent; the
// weight's, because a later call goes on with the chain of the one before.
TEST_P(LinearGradient, GroupsOfRowsGiveTheSameBits) {
  for_each_isa([&](const std::string&) {
    ThreadPool pool(1);
    Grid2 dx = data_.dx, dw = data_.dw;
    const Matrix dys = data_.dy.view(), xs = data_.x.view(), dxs = dx.view();
    for (std::int64_t r = 0; r < c_.rows;) {
      const std::int64_t count =
          std::min(c_.rows - r, std::uniform_int_distribution<std::int64_t>(1, 300)(rng_));
      const ConstMatrix dy{dys.row(r), count, dys.cols, dys.stride};
      linear_input_gradient(dy, weight_, {dxs.row(r), count, dxs.cols, dxs.stride}, c_.accumulate,
                            pool);
      linear_weight_gradient(dy, {xs.row(r), count, xs.cols, xs.stride}, dw.view(), pool);
      r += count;
    }
    EXPECT_TRUE(same_bits(dx, input_gradient(pool)));
    EXPECT_TRUE(same_bits(dw, weight_gradient(pool)));
  });
}

// Exactly the documented chains.
TEST_P(LinearGradient, FollowsTheDocumentedChains) {
  Grid2 dx = data_.dx, dw = data_.dw;
  for (std::int64_t k = 0; k < c_.in; ++k) {
    for (std::int64_t r = 0; r < c_.rows; ++r) {
      float sum = 0;
      for (std::int64_t n = 0; n < c_.out; ++n) {
        const float w = load_element(weight_.data, weight_.dtype, n * c_.in + k);
        sum = std::fma(data_.dy.at(r, n), w, sum);
        dw.at(n, k) = std::fma(data_.dy.at(r, n), data_.x.at(r, k), dw.at(n, k));
      }
      dx.at(r, k) = c_.accumulate == kYes ? sum + dx.at(r, k) : sum;
    }
  }
  ThreadPool pool(2);
  for_each_isa([&](const std::string& isa) {
    if (!fuses(isa)) return;
    EXPECT_TRUE(same_bits(input_gradient(pool), dx));
    EXPECT_TRUE(same_bits(weight_gradient(pool), dw));
  });
}

// The references are the derivatives of the reference of linear(): of Σ dy · linear(x) by central
// differences, which are exact for a function that is linear in each operand.
TEST(LinearReferenceTest, GradientsAreDerivatives) {
  std::mt19937 rng(2);
  GradientData data({5, 6, 4, DType::kF32, 0, kNo}, rng);
  std::vector<float> weights = random_values(24, rng);
  const Weight weight{weights.data(), DType::kF32, 4, 6};
  const auto loss = [&] {
    const std::vector<double> y = reference::linear(data.x.view(), weight, {}, {}, kNo);
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i)
      sum += y[i] *
             double{data.dy.at(static_cast<std::int64_t>(i) / 4, static_cast<std::int64_t>(i) % 4)};
    return sum;
  };
  const auto derivative = [&](float& variable) {
    const float old = variable;
    variable = old + 0.25f;
    const double step = double{variable};
    const double up = loss();
    variable = old - 0.25f;
    const double down = loss();
    const double result = (up - down) / (step - double{variable});
    variable = old;
    return result;
  };
  const std::vector<double> dx =
      reference::linear_input_gradient(data.dy.view(), weight, data.dx.view(), kNo);
  Grid2 zero(4, 6);
  std::fill_n(zero.view().data, 24, 0.0f);
  const std::vector<double> dw =
      reference::linear_weight_gradient(data.dy.view(), data.x.view(), zero.view());
  for (std::int64_t i = 0; i < 30; ++i)
    EXPECT_NEAR(dx[static_cast<std::size_t>(i)], derivative(data.x.at(i / 6, i % 6)), 1e-11);
  for (std::size_t i = 0; i < 24; ++i) EXPECT_NEAR(dw[i], derivative(weights[i]), 1e-11);
}

TEST(LinearBiasGradientTest, IsTheChainOfRowsOnTheOldValue) {
  std::mt19937 rng(3);
  for (const std::int64_t cols : {1, 15, 64, 577}) {
    Grid2 dy = Grid2::random(700, cols, 3, rng);
    const std::vector<float> old = random_values(cols, rng);
    std::vector<float> chain = old;
    for (std::int64_t r = 0; r < 700; ++r) {
      for (std::int64_t c = 0; c < cols; ++c) chain[static_cast<std::size_t>(c)] += dy.at(r, c);
    }
    const std::vector<double> want = reference::linear_bias_gradient(dy.view(), old);
    for_each_isa([&](const std::string&) {
      for (const int threads : {1, 2, 3, 5}) {
        ThreadPool pool(threads);
        std::vector<float> db = old;
        linear_bias_gradient(dy.view(), db, pool);
        EXPECT_EQ(db, chain);
        for (std::size_t c = 0; c < db.size(); ++c) EXPECT_NEAR(db[c], want[c], 700 * 100 * kEps);
      }
    });
  }
}

}  // namespace
}  // namespace laurel::kernels
