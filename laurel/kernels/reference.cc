#include "laurel/kernels/reference.h"

#include <cmath>
#include <cstddef>

#include "laurel/kernels/parameter.h"

namespace laurel::kernels::reference {
namespace {

std::vector<double> result(std::int64_t rows, std::int64_t cols) {
  return std::vector<double>(static_cast<std::size_t>(rows * cols));
}

}  // namespace

std::vector<double> linear(ConstMatrix x, const Weight& weight, const VectorParameter& bias,
                           ConstMatrix old, Accumulate accumulate) {
  std::vector<double> y = result(x.rows, weight.out_features);
  for (std::int64_t r = 0; r < x.rows; ++r) {
    for (std::int64_t n = 0; n < weight.out_features; ++n) {
      double sum = 0;
      for (std::int64_t k = 0; k < weight.in_features; ++k) {
        sum += double{x.row(r)[k]} *
               double{load_element(weight.data, weight.dtype, n * weight.in_features + k)};
      }
      if (bias.data != nullptr) sum += double{load_element(bias.data, bias.dtype, n)};
      if (accumulate == Accumulate::kYes) sum += double{old.row(r)[n]};
      y[static_cast<std::size_t>(r * weight.out_features + n)] = sum;
    }
  }
  return y;
}

std::vector<double> embedding(std::span<const std::int32_t> ids, const Weight& table) {
  std::vector<double> y;
  for (const std::int32_t id : ids) {
    for (std::int64_t i = 0; i < table.in_features; ++i)
      y.push_back(load_element(table.data, table.dtype, id * table.in_features + i));
  }
  return y;
}

std::vector<double> rms_norm(ConstMatrix x, const VectorParameter& weight, float eps) {
  std::vector<double> y;
  for (std::int64_t r = 0; r < x.rows; ++r) {
    double squares = 0;
    for (std::int64_t i = 0; i < x.cols; ++i) squares += double{x.row(r)[i]} * double{x.row(r)[i]};
    const double root = std::sqrt(squares / static_cast<double>(x.cols) + double{eps});
    for (std::int64_t i = 0; i < x.cols; ++i)
      y.push_back(double{load_element(weight.data, weight.dtype, i)} *
                  (double{x.row(r)[i]} / root));
  }
  return y;
}

std::vector<double> rotary(ConstMatrix x, std::int64_t num_heads, std::int64_t head_dim,
                           std::span<const std::int32_t> positions, const RotaryTable& table) {
  std::vector<double> y;
  for (std::int64_t r = 0; r < x.rows; ++r) y.insert(y.end(), x.row(r), x.row(r) + x.cols);
  const std::int64_t half = table.half_dim;
  for (std::int64_t r = 0; r < x.rows; ++r) {
    const auto offset = static_cast<std::size_t>(positions[static_cast<std::size_t>(r)] * half);
    for (std::int64_t h = 0; h < num_heads; ++h) {
      double* head = y.data() + r * x.cols + h * head_dim;
      for (std::int64_t i = 0; i < half; ++i) {
        const double c = table.cosines[offset + static_cast<std::size_t>(i)];
        const double s = table.sines[offset + static_cast<std::size_t>(i)];
        const double a = head[i], b = head[i + half];
        head[i] = a * c - b * s;
        head[i + half] = b * c + a * s;
      }
    }
  }
  return y;
}

std::vector<double> silu_mul(ConstMatrix gate, ConstMatrix up) {
  std::vector<double> y;
  for (std::int64_t r = 0; r < gate.rows; ++r) {
    for (std::int64_t i = 0; i < gate.cols; ++i) {
      const double g = gate.row(r)[i];
      y.push_back(g / (1 + std::exp(-g)) * double{up.row(r)[i]});
    }
  }
  return y;
}

std::vector<double> round_to_bf16(ConstMatrix x) {
  std::vector<double> y;
  for (std::int64_t r = 0; r < x.rows; ++r) {
    for (std::int64_t i = 0; i < x.cols; ++i)
      y.push_back(bf16_to_float(float_to_bf16(x.row(r)[i])));
  }
  return y;
}

std::vector<double> gather_rows(ConstMatrix x, std::span<const std::int32_t> rows) {
  std::vector<double> y;
  for (const std::int32_t r : rows) y.insert(y.end(), x.row(r), x.row(r) + x.cols);
  return y;
}

}  // namespace laurel::kernels::reference
