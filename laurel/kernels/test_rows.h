// Tests that every op on rows passes: agreement with its reference at odd sizes, gaps between rows
// and misaligned parameters, and bits that depend on nothing but the inputs.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "laurel/kernels/test_data.h"

namespace laurel::kernels::testing {

constexpr float kNormEps = 1e-5f;

// What an op takes. Each op uses what it needs.
struct RowData {
  Grid2 x, other, dy;
  std::vector<std::int32_t> picks;  // row numbers of a table, one per row
  std::vector<float> parameters, cosines, sines;
  Stored table, weight;
  // Of each row: 1 / root mean square of x, and the mean of |weight · dy · x|.
  std::vector<double> inverse_rms, mean_pull;

  static constexpr std::int64_t kTableRows = 50;
  RowData(std::int64_t rows, std::int64_t cols, DType dtype, std::mt19937& rng)
      : x(Grid2::random(rows, cols, 3, rng, 3)),
        other(Grid2::random(rows, cols, 1, rng)),
        dy(Grid2::random(rows, cols, 2, rng)),
        parameters(random_values(kTableRows * cols, rng)),
        cosines(random_values(kTableRows * cols, rng)),
        sines(random_values(kTableRows * cols, rng)),
        table(parameters, dtype, 1),
        weight(random_values(cols, rng), dtype, 1) {
    std::uniform_int_distribution<std::int32_t> pick(0, kTableRows - 1);
    for (std::int64_t r = 0; r < rows; ++r) picks.push_back(pick(rng));
    for (std::int64_t r = 0; r < rows; ++r) measure_row(r);
  }

  double weight_at(std::int64_t c) const {
    const VectorParameter values = weight.vector(c + 1);
    return load_element(values.data, values.dtype, c);
  }

 private:
  void measure_row(std::int64_t r) {
    const auto count = static_cast<double>(x.cols());
    double squares = 0, pull = 0;
    for (std::int64_t c = 0; c < x.cols(); ++c) {
      const double value = x.at(r, c);
      squares += value * value;
      pull += std::abs(weight_at(c) * double{dy.at(r, c)} * value);
    }
    inverse_rms.push_back(1 / std::sqrt(squares / count + double{kNormEps}));
    mean_pull.push_back(pull / count);
  }
};

// One row op for the tests below.
struct OpCase {
  const char* name;
  Grid2 (*run)(RowData& data, ThreadPool& pool);
  std::vector<double> (*want)(RowData& data);
  // The scale of an element's rounding error, in units of kEps.
  double (*bound)(RowData& data, std::int64_t row, std::int64_t col, double want);
};

inline double exact(RowData&, std::int64_t, std::int64_t, double) { return 0; }

// One head of all columns but the last few, which stay as they are.
inline std::int64_t half_dim(const RowData& data) { return data.x.cols() * 2 / 5; }
inline RotaryTable rotary_table(const RowData& data) {
  return {data.cosines, data.sines, half_dim(data)};
}

inline double rotary_bound(RowData& data, std::int64_t r, std::int64_t c, double) {
  const std::int64_t half = half_dim(data);
  if (c >= 2 * half) return 0.0;
  const std::int64_t i = c % half;
  const auto at = static_cast<std::size_t>(data.picks[static_cast<std::size_t>(r)] * half + i);
  const double a = std::abs(data.x.at(r, i)), b = std::abs(data.x.at(r, i + half));
  const double cosine = std::abs(data.cosines[at]), sine = std::abs(data.sines[at]);
  return 3 * (c < half ? a * cosine + b * sine : b * cosine + a * sine);
}

struct Size {
  std::int64_t rows, cols;
  DType dtype;
};
constexpr Size kSizes[] = {
    {1, 1, DType::kF32},      {3, 15, DType::kBF16},   {2, 64, DType::kF16},   {7, 33, DType::kF32},
    {300, 576, DType::kBF16}, {5, 4097, DType::kBF16}, {129, 100, DType::kF16}};

inline void expect_agrees_with_reference(const OpCase& op) {
  for (const Size& size : kSizes) {
    SCOPED_TRACE(::testing::Message() << size.rows << "x" << size.cols);
    std::mt19937 rng(1);
    RowData data(size.rows, size.cols, size.dtype, rng);
    const std::vector<double> want = op.want(data);
    std::vector<double> bound(want.size());
    for (std::size_t i = 0; i < want.size(); ++i) {
      const auto row = static_cast<std::int64_t>(i) / size.cols;
      const auto col = static_cast<std::int64_t>(i) % size.cols;
      bound[i] = op.bound(data, row, col, want[i]) * kEps;
    }
    for_each_isa([&](const std::string&) {
      ThreadPool pool(3);
      Grid2 y = op.run(data, pool);
      expect_close(y, want, bound);
    });
  }
}

inline void expect_bits_depend_on_inputs_only(const OpCase& op) {
  for (const Size& size : kSizes) {
    SCOPED_TRACE(::testing::Message() << size.rows << "x" << size.cols);
    std::mt19937 rng(2);
    RowData data(size.rows, size.cols, size.dtype, rng);
    const auto result = [&](int threads) {
      ThreadPool pool(threads);
      return op.run(data, pool);
    };
    expect_same_bits_between_isas([&] { return result(1); });
    for_each_isa([&](const std::string&) {
      const Grid2 one = result(1);
      for (const int threads : {2, 3, 5}) EXPECT_TRUE(same_bits(result(threads), one));
    });
  }
}

}  // namespace laurel::kernels::testing
