#include "laurel/kernels/reference_int8.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "laurel/kernels/parameter.h"

namespace laurel::kernels::reference {

namespace {

// H x by butterflies of distances 1, 2, 4, ...
std::vector<float> rotated(const float* x, std::int64_t cols) {
  std::vector<float> y(x, x + cols);
  for (std::int64_t distance = 1; distance < hadamard_order(cols); distance *= 2) {
    for (std::int64_t k = 0; k < cols; ++k) {
      if (k / distance % 2 != 0) continue;
      float& low = y[static_cast<std::size_t>(k)];
      float& high = y[static_cast<std::size_t>(k + distance)];
      const float sum = low + high;
      high = low - high;
      low = sum;
    }
  }
  return y;
}

}  // namespace

Int8Rows quantize_rows(ConstMatrix x, const std::vector<float>& center) {
  Int8Rows rows;
  for (std::int64_t r = 0; r < x.rows; ++r) {
    std::vector<float> row(x.row(r), x.row(r) + x.cols);
    for (std::size_t k = 0; k < center.size(); ++k) row[k] -= center[k];
    row = rotated(row.data(), x.cols);
    float low = 0, high = 0;
    bool finite = true;
    for (const float value : row) {
      low = std::min(low, value);
      high = std::max(high, value);
      finite = finite && std::isfinite(value);
    }
    const float size = high - low;
    finite = finite && std::isfinite(size);
    const bool is_zero = !finite || size < 0x1p-100f;
    const float factor = 255.0f / size;
    const int zero_point = is_zero ? 0 : static_cast<int>(std::nearbyint(-low * factor));
    rows.scales.push_back(!finite   ? std::numeric_limits<float>::quiet_NaN()
                          : is_zero ? 0.0f
                                    : size / 255.0f);
    rows.zero_points.push_back(zero_point);
    for (const float value : row) {
      const int rounded = is_zero ? 0 : static_cast<int>(std::nearbyint(value * factor));
      rows.values.push_back(std::min(255, rounded + zero_point));
    }
  }
  return rows;
}

Int8Channels quantize_weight(ConstMatrix weight) {
  Int8Channels channels;
  for (std::int64_t n = 0; n < weight.rows; ++n) {
    const std::vector<float> w = rotated(weight.row(n), weight.cols);
    float largest = 0;
    for (std::size_t k = 0; k < w.size(); ++k) {
      largest = std::max(largest, std::abs(w[k]));
      if (k % 2 == 1) largest = std::max(largest, std::abs(w[k - 1] + w[k]));
    }
    const float scale = largest < 0x1p-100f ? 0.0f : largest / 127.0f;
    channels.scales.push_back(scale / static_cast<float>(hadamard_order(weight.cols)));
    for (std::size_t k = 0; k < w.size(); ++k) {
      const int rounded = scale > 0 ? static_cast<int>(std::nearbyint(w[k] / scale)) : 0;
      const int other = k % 2 == 1 ? channels.values.back() : 0;
      channels.values.push_back(
          std::clamp(rounded, std::max(-127, -128 - other), std::min(127, 128 - other)));
    }
  }
  return channels;
}

int int8_element(const Int8Weight& weight, std::int64_t num_inputs, std::int64_t n,
                 std::int64_t k) {
  const std::int64_t groups = (num_inputs + 3) / 4;
  const auto* packed = static_cast<const std::int8_t*>(weight.packed);
  return packed[((n / 16 * groups + k / 4) * 16 + n % 16) * 4 + k % 4];
}

std::vector<float> int8_linear(const Int8Rows& x, const Int8Weight& weight,
                               const VectorParameter& bias, ConstMatrix old,
                               Accumulate accumulate) {
  std::vector<float> y;
  const auto rows = static_cast<std::int64_t>(x.scales.size());
  const std::int64_t in = rows > 0 ? static_cast<std::int64_t>(x.values.size()) / rows : 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t n = 0; n < weight.out_features; ++n) {
      std::int64_t sum = 0;
      for (std::int64_t k = 0; k < in; ++k)
        sum += (std::int64_t{x.values[static_cast<std::size_t>(r * in + k)]} -
                x.zero_points[static_cast<std::size_t>(r)]) *
               int8_element(weight, in, n, k);
      float v = static_cast<float>(sum) * (x.scales[static_cast<std::size_t>(r)] *
                                           load_element(weight.scales, DType::kF32, n));
      if (weight.offsets != nullptr) v += load_element(weight.offsets, DType::kF32, n);
      if (bias.data != nullptr) v += load_element(bias.data, bias.dtype, n);
      if (accumulate == Accumulate::kYes) v += old.row(r)[n];
      y.push_back(v);
    }
  }
  return y;
}

}  // namespace laurel::kernels::reference
