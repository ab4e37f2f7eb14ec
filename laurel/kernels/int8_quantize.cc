// Quantization of activations by row, and of weights by channel into the packed order.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "laurel/kernels/int8.h"
#include "laurel/kernels/loops.h"
#include "laurel/kernels/op_clock.h"
#include "laurel/kernels/parameter.h"
#include "laurel/kernels/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "laurel/kernels/int8_quantize.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#ifndef LAUREL_INT8_QUANTIZE_ONCE
#define LAUREL_INT8_QUANTIZE_ONCE
namespace laurel::kernels {

// Adding this and taking it away again leaves the nearest integer, ties to even, of |x| < 2^22; the
// low bits of the sum are that integer. The same on every instruction set, unlike conversions.
constexpr float kRounder = 0x1.8p23f;
constexpr std::int32_t kRounderBits = 0x4b400000;

}  // namespace laurel::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace laurel::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using I32 = hn::RebindToSigned<F32>;
constexpr std::int64_t kLanes = HWY_LANES(float);

constexpr std::int32_t kMagnitude = 0x7fffffff;

// The largest |x| as bits: integers compare as magnitudes do, and a NaN is larger than all of them.
std::int32_t largest_magnitude(const float* x, std::int64_t cols) {
  const F32 d;
  const I32 di;
  auto most = hn::Zero(di);
  std::int64_t i = 0;
  for (; i + kLanes <= cols; i += kLanes) {
    const auto bits = hn::And(hn::BitCast(di, hn::LoadU(d, x + i)), hn::Set(di, kMagnitude));
    most = hn::Max(most, bits);
  }
  std::int32_t largest = hn::GetLane(hn::MaxOfLanes(di, most));
  for (; i < cols; ++i) largest = std::max(largest, std::bit_cast<std::int32_t>(x[i]) & kMagnitude);
  return largest;
}

// Returns the sum of the values.
std::int32_t quantize_values(const float* x, std::int64_t cols, float factor, std::int8_t* to) {
  const F32 d;
  const I32 di;
  auto sums = hn::Zero(di);
  std::int64_t i = 0;
  for (; i + kLanes <= cols; i += kLanes) {
    const auto scaled = hn::Mul(hn::LoadU(d, x + i), hn::Set(d, factor));
    const auto shifted = hn::BitCast(di, hn::Add(scaled, hn::Set(d, kRounder)));
    const auto value = hn::Sub(shifted, hn::Set(di, kRounderBits));
    sums = hn::Add(sums, value);
    hn::StoreU(hn::DemoteTo(hn::Rebind<std::int8_t, I32>(), value), hn::Rebind<std::int8_t, I32>(),
               to + i);
  }
  std::int32_t sum = hn::GetLane(hn::SumOfLanes(di, sums));
  for (; i < cols; ++i) {
    const float scaled = x[i] * factor;
    to[i] = static_cast<std::int8_t>(std::bit_cast<std::int32_t>(scaled + kRounder) - kRounderBits);
    sum += to[i];
  }
  return sum;
}

// A row whose wide inputs are 0 here and at most 128 · least; writes `values`, the scale and the
// sum of row r. Returns the factor that makes integers of inputs.
float quantize_row(const float* x, float least, const Int8Matrix& quantized, std::int64_t r) {
  constexpr float kNegligible = 0x1p-100f;  // 127 / x stays finite above it
  std::int8_t* to = quantized.values + r * quantized.stride;
  const std::int64_t cols = quantized.cols;
  const auto own = std::bit_cast<float>(largest_magnitude(x, cols));
  const float largest = own < least || std::isnan(least) ? least : own;
  quantized.sums[r] = 0;
  quantized.scales[r] = 0;
  float factor = 0;
  std::int64_t done = 0;
  if (largest >= kNegligible && largest <= std::numeric_limits<float>::max()) {
    factor = 127.0f / largest;
    quantized.scales[r] = largest / 127.0f;
    quantized.sums[r] = quantize_values(x, cols, factor, to);
    done = cols;
  } else if (!(largest < kNegligible)) {
    quantized.scales[r] = std::numeric_limits<float>::quiet_NaN();
  }
  std::fill(to + done, to + round_up(cols, kInt8GroupInputs), std::int8_t{0});
  return factor;
}

}  // namespace laurel::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace laurel::kernels {
namespace {

HWY_EXPORT(quantize_row);

// One row of a weight as float32.
void load_channel(const Weight& weight, std::int64_t n, float* to) {
  const std::int64_t in = weight.in_features, bytes = in * dtype_size(weight.dtype);
  const auto* from = static_cast<const unsigned char*>(weight.data) + n * bytes;
  if (weight.dtype == DType::kF32) {
    if (in > 0) std::memcpy(to, from, static_cast<std::size_t>(bytes));
    return;
  }
  for (std::int64_t k = 0; k < in; ++k) to[k] = load_element(from, weight.dtype, k);
}

// Up to 16 quantized channels, `stride` (a multiple of 4) apart, in packed order.
void pack_panel(const std::int8_t* values, std::int64_t stride, std::int64_t channels,
                unsigned char* to) {
  for (std::int64_t g = 0; g < stride; g += kInt8GroupInputs) {
    for (std::int64_t n = 0; n < kInt8PanelChannels; ++n) {
      for (std::int64_t k = 0; k < kInt8GroupInputs; ++k) {
        const std::int64_t value = n < channels ? values[n * stride + g + k] : 0;
        *to++ = static_cast<unsigned char>(value + kInt8ZeroPoint);
      }
    }
  }
}

constexpr float kWideBase = 128.0f;

// The wide inputs of row r as two digits: base 128, the lower one from -64 to 63.
void split_wide(const float* x, WideInputs wide, float factor, const Int8Matrix& quantized,
                std::int64_t r) {
  std::int8_t* high = quantized.wide + r * quantized.wide_stride;
  std::int8_t* low = quantized.values + r * quantized.stride;
  std::fill(high, high + round_up(quantized.num_wide, kInt8GroupInputs), std::int8_t{0});
  if (factor == 0) return;
  for (const std::int32_t k : wide) {
    const float scaled = x[k] * factor;
    const std::int32_t value = std::bit_cast<std::int32_t>(scaled + kRounder) - kRounderBits;
    const std::int32_t digit = (value + 64) >> 7;
    *high++ = static_cast<std::int8_t>(digit);
    low[k] = static_cast<std::int8_t>(value - 128 * digit);
    quantized.sums[r] += value;
  }
}

}  // namespace

std::int64_t packed_int8_bytes(std::int64_t out_features, std::int64_t in_features) {
  return round_up(out_features, kInt8PanelChannels) * round_up(in_features, kInt8GroupInputs);
}

void quantize_rows(ConstMatrix x, WideInputs wide, const Int8Matrix& quantized, ThreadPool& pool) {
  const OpTimer timer("quantize_rows", [&] { return moved(x.rows * x.cols, 1); });
  const auto quantize = HWY_DYNAMIC_DISPATCH(quantize_row);
  for_rows(x.rows, x.cols, pool, [&](std::int64_t r) {
    if (wide.empty()) {
      quantize(x.row(r), 0.0f, quantized, r);
      return;
    }
    static thread_local std::vector<float> rest;
    rest.assign(x.row(r), x.row(r) + x.cols);
    float least = 0;
    for (const std::int32_t k : wide) {
      const float part =
          std::abs(std::exchange(rest[static_cast<std::size_t>(k)], 0.0f)) / kWideBase;
      if (!(part <= least)) least = part;
      if (std::isnan(part)) break;
    }
    split_wide(x.row(r), wide, quantize(rest.data(), least, quantized, r), quantized, r);
  });
}

void quantize_weight(const Weight& weight, WideInputs wide, const Int8WeightMemory& to,
                     ThreadPool& pool) {
  const auto quantize = HWY_DYNAMIC_DISPATCH(quantize_row);
  const std::int64_t in = weight.in_features, stride = round_up(in, kInt8GroupInputs);
  const auto num_wide = static_cast<std::int64_t>(wide.size());
  const std::int64_t wide_stride = round_up(num_wide, kInt8GroupInputs);
  const std::int64_t panels = ceil_div(weight.out_features, kInt8PanelChannels);
  pool.parallel_for(panels, 1, [&](std::int64_t begin, std::int64_t end, int) {
    std::vector<float> channel(static_cast<std::size_t>(in));
    std::vector<std::int8_t> values(static_cast<std::size_t>(kInt8PanelChannels * stride));
    std::vector<std::int8_t> wide_values(
        static_cast<std::size_t>(kInt8PanelChannels * wide_stride));
    std::vector<std::int32_t> sums(static_cast<std::size_t>(kInt8PanelChannels));
    for (std::int64_t p = begin; p < end; ++p) {
      const std::int64_t first = p * kInt8PanelChannels;
      Int8Matrix rows;
      rows.values = values.data();
      rows.scales = to.scales + first;
      rows.sums = sums.data();
      rows.rows = std::min(kInt8PanelChannels, weight.out_features - first);
      rows.cols = in;
      rows.stride = stride;
      for (std::int64_t r = 0; r < rows.rows; ++r) {
        load_channel(weight, first + r, channel.data());
        quantize(channel.data(), 0.0f, rows, r);
        for (std::int64_t j = 0; j < num_wide; ++j) {
          wide_values[static_cast<std::size_t>(r * wide_stride + j)] =
              rows.values[r * stride + wide[static_cast<std::size_t>(j)]];
        }
      }
      pack_panel(rows.values, stride, rows.rows, to.packed + first * stride);
      pack_panel(wide_values.data(), wide_stride, rows.rows, to.packed_wide + first * wide_stride);
    }
  });
}

}  // namespace laurel::kernels
#endif
