// Rotation and quantization of activations by row, and of weights by channel into the packed order.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "laurel/kernels/int8.h"
#include "laurel/kernels/int8_kernels.h"
#include "laurel/kernels/loops.h"
#include "laurel/kernels/op_clock.h"
#include "laurel/kernels/parameter.h"
#include "laurel/kernels/scratch.h"
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

constexpr float kNegligible = 0x1p-100f;  // 127 / x stays finite above it
// Steps of a rotation have at least this many elements: whole vectors, of 16 lanes at most or
// short.
constexpr std::int64_t kMinHadamardStep = 8;

}  // namespace laurel::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace laurel::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using ShortF32 = hn::CappedTag<float, kMinHadamardStep>;
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

// Calls body(i) for every i of vectors that cover [0, size), size >= lanes: the last two may
// overlap.
template <typename Body>
HWY_INLINE void for_vectors(std::int64_t size, std::int64_t lanes, const Body& body) {
  for (std::int64_t i = 0; i + lanes < size; i += lanes) body(i);
  body(size - lanes);
}

// One butterfly of elements `distance` apart, or two at once, the second of twice the distance.
template <class D>
void butterflies(D d, const float* x, std::int64_t cols, std::int64_t distance, float* y) {
  for (std::int64_t base = 0; base < cols; base += 2 * distance) {
    for_vectors(distance, hn::MaxLanes(d), [&](std::int64_t i) {
      const auto a = hn::LoadU(d, x + base + i), b = hn::LoadU(d, x + base + distance + i);
      hn::StoreU(hn::Add(a, b), d, y + base + i);
      hn::StoreU(hn::Sub(a, b), d, y + base + distance + i);
    });
  }
}

template <class D>
void double_butterflies(D d, const float* x, std::int64_t cols, std::int64_t distance, float* y) {
  for (std::int64_t base = 0; base < cols; base += 4 * distance) {
    const float* from = x + base;
    float* to = y + base;
    for_vectors(distance, hn::MaxLanes(d), [&](std::int64_t i) {
      const auto a = hn::LoadU(d, from + i), b = hn::LoadU(d, from + distance + i);
      const auto c = hn::LoadU(d, from + 2 * distance + i);
      const auto e = hn::LoadU(d, from + 3 * distance + i);
      const auto sum = hn::Add(a, b), difference = hn::Sub(a, b);
      const auto far_sum = hn::Add(c, e), far_difference = hn::Sub(c, e);
      hn::StoreU(hn::Add(sum, far_sum), d, to + i);
      hn::StoreU(hn::Add(difference, far_difference), d, to + distance + i);
      hn::StoreU(hn::Sub(sum, far_sum), d, to + 2 * distance + i);
      hn::StoreU(hn::Sub(difference, far_difference), d, to + 3 * distance + i);
    });
  }
}

template <class D>
void turn(D d, const float* x, std::int64_t cols, std::int64_t distance, float* y) {
  if (2 * distance == cols) {
    butterflies(d, x, cols, distance, y);
  } else {
    double_butterflies(d, x, cols, distance, y);
  }
}

// H x, in x or in one of the halves of memory, [2, cols].
const float* rotate(const float* x, std::int64_t cols, float* memory) {
  float* spare = memory + cols;
  std::int64_t distance = cols / hadamard_order(cols);
  for (; distance < cols; distance *= 4) {
    if (distance < kLanes) {
      turn(ShortF32(), x, cols, distance, memory);
    } else {
      turn(F32(), x, cols, distance, memory);
    }
    x = memory;
    std::swap(memory, spare);
  }
  return x;
}

// Copies H x[r] to y[r].
void rotate_row(const float* x, std::int64_t cols, float* memory, float* y) {
  std::copy_n(rotate(x, cols, memory), cols, y);
}

// Row r of `quantized` from a rotated row.
void quantize_rotated(const float* rotated, const Int8Matrix& quantized, std::int64_t r) {
  std::int8_t* to = quantized.values + r * quantized.stride;
  const std::int64_t cols = quantized.cols;
  const auto largest = std::bit_cast<float>(largest_magnitude(rotated, cols));
  quantized.sums[r] = 0;
  quantized.scales[r] = 0;
  std::int64_t done = 0;
  if (largest >= kNegligible && largest <= std::numeric_limits<float>::max()) {
    quantized.scales[r] = largest / 127.0f;
    quantized.sums[r] = quantize_values(rotated, cols, 127.0f / largest, to);
    done = cols;
  } else if (!(largest < kNegligible)) {
    quantized.scales[r] = std::numeric_limits<float>::quiet_NaN();
  }
  std::fill(to + done, to + round_up(cols, kInt8GroupInputs), std::int8_t{0});
}

// The same from x[r]. memory: [2, cols]
void quantize_row(const float* x, const Int8Matrix& quantized, std::int64_t r, float* memory) {
  quantize_rotated(rotate(x, quantized.cols, memory), quantized, r);
}

// Row i of `rest` from row r of x and of `quantized`. memory: [2, cols]
void quantize_rest_row(const float* x, const Int8Matrix& quantized, std::int64_t r,
                       const Int8Matrix& rest, std::int64_t i, float* memory) {
  const std::int64_t cols = quantized.cols;
  const std::int8_t* taken = quantized.values + r * quantized.stride;
  std::int8_t* to = rest.values + i * rest.stride;
  const float scale = quantized.scales[r];
  rest.sums[i] = 0;
  rest.scales[i] = scale / 254.0f;
  std::fill(to, to + round_up(cols, kInt8GroupInputs), std::int8_t{0});
  if (!(scale > 0)) return;
  const float* rotated = rotate(x, cols, memory);
  float* left = rotated == memory ? memory + cols : memory;
  for (std::int64_t k = 0; k < cols; ++k)
    left[k] = rotated[k] - scale * static_cast<float>(taken[k]);
  rest.sums[i] = quantize_values(left, cols, 254.0f / scale, to);
}

// quantize_values() with feedback: w is rounded in place, a block [size, size] of factors each.
std::int32_t quantize_with_feedback(float* w, std::int64_t size, const float* factors, float scale,
                                    std::int8_t* to) {
  const F32 d;
  std::int32_t sum = 0;
  for (std::int64_t k = 0; k < size; ++k) {
    const float scaled = std::clamp(w[k] / scale, -127.0f, 127.0f);
    const std::int32_t value = std::bit_cast<std::int32_t>(scaled + kRounder) - kRounderBits;
    to[k] = static_cast<std::int8_t>(value);
    sum += value;
    const float error = w[k] - scale * static_cast<float>(value);
    const float* row = factors + k * size;
    std::int64_t j = k + 1;
    for (; j + kLanes <= size; j += kLanes) {
      const auto change = hn::Mul(hn::Set(d, error), hn::LoadU(d, row + j));
      hn::StoreU(hn::Sub(hn::LoadU(d, w + j), change), d, w + j);
    }
    for (; j < size; ++j) w[j] -= error * row[j];
  }
  return sum;
}

}  // namespace laurel::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace laurel::kernels {
namespace {

HWY_EXPORT(rotate_row);
HWY_EXPORT(quantize_rotated);
HWY_EXPORT(quantize_row);
HWY_EXPORT(quantize_rest_row);
HWY_EXPORT(quantize_with_feedback);

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

// Rounds row r of `rows` anew, with feedback and the scale that it has. w: the rotated channel,
// which is changed.
void round_with_feedback(float* w, const Int8Feedback& feedback,
                         std::span<const FeedbackBlock> blocks, const Int8Matrix& rows,
                         std::int64_t r) {
  if (!(rows.scales[r] > 0)) return;
  const auto quantize = HWY_DYNAMIC_DISPATCH(quantize_with_feedback);
  rows.sums[r] = 0;
  for (const FeedbackBlock& block : blocks) {
    rows.sums[r] +=
        quantize(w + block.inputs.begin, block.inputs.size(), feedback.factors.data() + block.place,
                 rows.scales[r], rows.values + r * rows.stride + block.inputs.begin);
  }
}

}  // namespace

std::int64_t packed_int8_bytes(std::int64_t out_features, std::int64_t in_features) {
  return round_up(out_features, kInt8PanelChannels) * round_up(in_features, kInt8GroupInputs);
}

std::int64_t hadamard_order(std::int64_t num_inputs) {
  const auto inputs = static_cast<std::uint64_t>(num_inputs);
  const std::uint64_t divisor = inputs & (~inputs + 1);  // the largest power of two
  const std::uint64_t most = std::bit_floor(inputs / std::uint64_t{kMinHadamardStep});
  return static_cast<std::int64_t>(std::max<std::uint64_t>(1, std::min(divisor, most)));
}

void quantize_rows(ConstMatrix x, const Int8Matrix& quantized, ThreadPool& pool) {
  const OpTimer timer("quantize_rows", [&] { return moved(x.rows * x.cols, 1); });
  const auto quantize = HWY_DYNAMIC_DISPATCH(quantize_row);
  for_rows(x.rows, x.cols, pool, [&](std::int64_t r) {
    static thread_local Scratch memory;
    quantize(x.row(r), quantized, r, memory.get(2 * x.cols));
  });
}

void quantize_rest(ConstMatrix x, std::span<const std::int32_t> rows, const Int8Matrix& quantized,
                   const Int8Matrix& rest, ThreadPool& pool) {
  const auto count = static_cast<std::int64_t>(rows.size());
  const OpTimer timer("quantize_rows", [&] { return moved(count * x.cols, 1); });
  const auto quantize = HWY_DYNAMIC_DISPATCH(quantize_rest_row);
  for_rows(count, x.cols, pool, [&](std::int64_t i) {
    static thread_local Scratch memory;
    const std::int64_t r = rows[static_cast<std::size_t>(i)];
    quantize(x.row(r), quantized, r, rest, i, memory.get(2 * x.cols));
  });
}

void rotate_rows(ConstMatrix x, Matrix y, ThreadPool& pool) {
  const auto rotate = HWY_DYNAMIC_DISPATCH(rotate_row);
  for_rows(x.rows, x.cols, pool, [&](std::int64_t r) {
    static thread_local Scratch memory;
    rotate(x.row(r), x.cols, memory.get(2 * x.cols), y.row(r));
  });
}

void quantize_weight(const Weight& weight, const Int8Feedback& feedback, const Int8WeightMemory& to,
                     ThreadPool& pool) {
  const auto rotate = HWY_DYNAMIC_DISPATCH(rotate_row);
  const auto quantize = HWY_DYNAMIC_DISPATCH(quantize_rotated);
  std::vector<FeedbackBlock> blocks;
  if (!feedback.factors.empty()) blocks = feedback_blocks(weight.in_features);
  const std::int64_t in = weight.in_features, stride = round_up(in, kInt8GroupInputs);
  const auto order = static_cast<float>(hadamard_order(in));
  const std::int64_t panels = ceil_div(weight.out_features, kInt8PanelChannels);
  pool.parallel_for(panels, 1, [&](std::int64_t begin, std::int64_t end, int) {
    std::vector<float> channel(static_cast<std::size_t>(in)), rotated(channel.size());
    std::vector<float> memory(2 * channel.size());
    std::vector<std::int8_t> values(static_cast<std::size_t>(kInt8PanelChannels * stride));
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
        rotate(channel.data(), in, memory.data(), rotated.data());
        quantize(rotated.data(), rows, r);
        if (!blocks.empty()) round_with_feedback(rotated.data(), feedback, blocks, rows, r);
        rows.scales[r] /= order;
      }
      pack_panel(rows.values, stride, rows.rows, to.packed + first * stride);
    }
  });
}

}  // namespace laurel::kernels
#endif
