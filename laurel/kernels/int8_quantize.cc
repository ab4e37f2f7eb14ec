// Rotation, and quantization of activations by row.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
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

inline std::int32_t nearest(float x) {
  return std::bit_cast<std::int32_t>(x + kRounder) - kRounderBits;
}

// Orders below a vector's 16 lanes at most are not worth it; those above have spread enough.
constexpr std::int64_t kMinHadamardOrder = 16;
constexpr std::int64_t kMaxHadamardOrder = 1024;

}  // namespace laurel::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace laurel::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using Vector = hn::Vec<F32>;
using I32 = hn::RebindToSigned<F32>;
using U32 = hn::RebindToUnsigned<F32>;
constexpr std::int64_t kLanes = HWY_LANES(float);

// The smallest range that has all of x and 0 in it.
struct Extent {
  float low;
  float high;
};

// Compares bits: as signed numbers, the positive ones are in order and above the negative ones; as
// unsigned ones, the negative ones are, by magnitude. A NaN is beyond infinity on its side.
Extent extent(const float* x, std::int64_t cols) {
  const F32 d;
  const I32 di;
  const U32 du;
  auto highest = hn::Zero(di);
  auto lowest = hn::Zero(du);
  std::int64_t i = 0;
  for (; i + kLanes <= cols; i += kLanes) {
    const auto v = hn::LoadU(d, x + i);
    highest = hn::Max(highest, hn::BitCast(di, v));
    lowest = hn::Max(lowest, hn::BitCast(du, v));
  }
  std::int32_t high = hn::GetLane(hn::MaxOfLanes(di, highest));
  std::uint32_t low = hn::GetLane(hn::MaxOfLanes(du, lowest));
  for (; i < cols; ++i) {
    high = std::max(high, std::bit_cast<std::int32_t>(x[i]));
    low = std::max(low, std::bit_cast<std::uint32_t>(x[i]));
  }
  constexpr std::uint32_t kSign = 0x80000000;
  return {low >= kSign ? std::bit_cast<float>(low) : 0.0f, std::bit_cast<float>(high)};
}

constexpr std::int32_t kLargestValue = 255;

// `factor` · x, rounded, + zero_point, at most 255.
void quantize_values(const float* x, std::int64_t cols, float factor, std::int32_t zero_point,
                     std::uint8_t* to) {
  const F32 d;
  const I32 di;
  const std::int32_t offset = zero_point - kRounderBits;
  std::int64_t i = 0;
  for (; i + kLanes <= cols; i += kLanes) {
    const auto scaled = hn::Mul(hn::LoadU(d, x + i), hn::Set(d, factor));
    const auto shifted = hn::BitCast(di, hn::Add(scaled, hn::Set(d, kRounder)));
    const auto value = hn::Add(shifted, hn::Set(di, offset));
    const hn::Rebind<std::uint8_t, I32> narrow;
    hn::StoreU(hn::DemoteTo(narrow, value), narrow, to + i);  // saturates
  }
  for (; i < cols; ++i) {
    const std::int32_t value = nearest(x[i] * factor) + zero_point;
    to[i] = static_cast<std::uint8_t>(std::clamp(value, 0, kLargestValue));
  }
}

// Butterflies of elements kDistance apart in a vector, all those before the first of their pair.
template <std::int64_t kDistance>
HWY_INLINE Vector butterflies_within(Vector v) {
#if HWY_TARGET != HWY_SCALAR
  if constexpr (kDistance < kLanes) {
    const F32 d;
    const U32 du;
    Vector other;
    if constexpr (kDistance == 1) {
      other = hn::Shuffle2301(v);
    } else if constexpr (kDistance == 2) {
      other = hn::Shuffle1032(v);
    } else if constexpr (2 * kDistance == kLanes) {
      other = hn::ConcatLowerUpper(d, v, v);
    } else {
      other = hn::SwapAdjacentBlocks(v);
    }
    constexpr int kShift = kDistance == 1 ? 31 : kDistance == 2 ? 30 : kDistance == 4 ? 29 : 28;
    const auto second = hn::And(hn::Iota(du, 0), hn::Set(du, kDistance));
    const Vector signs = hn::BitCast(d, hn::ShiftLeft<kShift>(second));
    return butterflies_within<2 * kDistance>(hn::Add(other, hn::Xor(v, signs)));
  }
#endif
  return v;
}

HWY_INLINE void butterfly(const float* x, std::int64_t distance, float* y) {
  const F32 d;
  const Vector a = hn::LoadU(d, x), b = hn::LoadU(d, x + distance);
  hn::StoreU(hn::Add(a, b), d, y);
  hn::StoreU(hn::Sub(a, b), d, y + distance);
}

// Two at once, the second of twice the distance.
HWY_INLINE void double_butterfly(Vector a, Vector b, Vector c, Vector e, std::int64_t distance,
                                 float* y) {
  const F32 d;
  const Vector sum = hn::Add(a, b), difference = hn::Sub(a, b);
  const Vector far_sum = hn::Add(c, e), far_difference = hn::Sub(c, e);
  hn::StoreU(hn::Add(sum, far_sum), d, y);
  hn::StoreU(hn::Add(difference, far_difference), d, y + distance);
  hn::StoreU(hn::Sub(sum, far_sum), d, y + 2 * distance);
  hn::StoreU(hn::Sub(difference, far_difference), d, y + 3 * distance);
}

// Distances below the lanes, and the next two if the order has them. `load` gives the vector at an
// element. Returns the next distance.
template <typename Load>
HWY_INLINE std::int64_t rotate_vectors(const Load& load_plain, std::int64_t cols,
                                       std::int64_t order, float* y) {
  const F32 d;
  const auto load = [&](std::int64_t i) { return butterflies_within<1>(load_plain(i)); };
  if (order >= 4 * kLanes) {
    for (std::int64_t i = 0; i < cols; i += 4 * kLanes) {
      double_butterfly(load(i), load(i + kLanes), load(i + 2 * kLanes), load(i + 3 * kLanes),
                       kLanes, y + i);
    }
    return 4 * kLanes;
  }
  for (std::int64_t i = 0; i < cols; i += kLanes) hn::StoreU(load(i), d, y + i);
  return kLanes;
}

// y = H (x - center), by butterflies of distances 1, 2, 4, ...; y is not x. No center: null.
void rotate(const float* x, const float* center, std::int64_t cols, float* y) {
  const F32 d;
  const std::int64_t order = hadamard_order(cols);
  if (order == 1) {
    for (std::int64_t i = 0; i < cols; ++i) y[i] = center != nullptr ? x[i] - center[i] : x[i];
    return;
  }
  const auto plain = [&](std::int64_t i) { return hn::LoadU(d, x + i); };
  const auto centered = [&](std::int64_t i) { return hn::Sub(plain(i), hn::LoadU(d, center + i)); };
  std::int64_t distance = center != nullptr ? rotate_vectors(centered, cols, order, y)
                                            : rotate_vectors(plain, cols, order, y);
  for (; distance < order; distance *= 4) {
    const bool is_last = 2 * distance == order;
    for (std::int64_t base = 0; base < cols; base += (is_last ? 2 : 4) * distance) {
      for (std::int64_t i = base; i < base + distance; i += kLanes) {
        if (is_last) {
          butterfly(y + i, distance, y + i);
        } else {
          double_butterfly(hn::LoadU(d, y + i), hn::LoadU(d, y + i + distance),
                           hn::LoadU(d, y + i + 2 * distance), hn::LoadU(d, y + i + 3 * distance),
                           distance, y + i);
        }
      }
    }
  }
}

// Row r of `quantized` from x[r]. rotated: [cols], memory
void quantize_row(const float* x, const float* center, const Int8Matrix& quantized, std::int64_t r,
                  float* rotated) {
  const std::int64_t cols = quantized.cols;
  std::uint8_t* to = quantized.values + r * quantized.stride;
  rotate(x, center, cols, rotated);
  const Extent range = extent(rotated, cols);
  const float size = range.high - range.low;
  quantized.scales[r] = 0;
  quantized.zero_points[r] = 0;
  std::int64_t done = 0;
  if (size >= kNegligible && size <= std::numeric_limits<float>::max()) {
    const float factor = kLargestValue / size;
    quantized.scales[r] = size / kLargestValue;
    quantized.zero_points[r] = nearest(-range.low * factor);
    quantize_values(rotated, cols, factor, quantized.zero_points[r], to);
    done = cols;
  } else if (!(size < kNegligible)) {
    quantized.scales[r] = std::numeric_limits<float>::quiet_NaN();
  }
  std::fill(to + done, to + round_up(cols, kInt8GroupInputs), std::uint8_t{0});
}

// Row i of `rest` from row r of x and of `quantized`. left: [cols], memory
void quantize_rest_row(const float* x, const float* center, const Int8Matrix& quantized,
                       std::int64_t r, const Int8Matrix& rest, std::int64_t i, float* left) {
  constexpr std::int32_t kZeroPoint = 128;
  const std::int64_t cols = quantized.cols;
  const std::uint8_t* taken = quantized.values + r * quantized.stride;
  std::uint8_t* to = rest.values + i * rest.stride;
  const float scale = quantized.scales[r];
  rest.zero_points[i] = 0;
  rest.scales[i] = scale / 254.0f;
  std::fill(to, to + round_up(cols, kInt8GroupInputs), std::uint8_t{0});
  if (!(scale > 0)) return;
  rest.zero_points[i] = kZeroPoint;
  rotate(x, center, cols, left);
  const std::int32_t zero_point = quantized.zero_points[r];
  for (std::int64_t k = 0; k < cols; ++k)
    left[k] -= scale * static_cast<float>(taken[k] - zero_point);
  quantize_values(left, cols, 254.0f / scale, kZeroPoint, to);
}

}  // namespace laurel::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace laurel::kernels {
namespace {

HWY_EXPORT(rotate);
HWY_EXPORT(quantize_row);
HWY_EXPORT(quantize_rest_row);

}  // namespace

std::int64_t hadamard_order(std::int64_t num_inputs) {
  const auto inputs = static_cast<std::uint64_t>(num_inputs);
  const auto divisor = static_cast<std::int64_t>(inputs & (~inputs + 1));
  return divisor < kMinHadamardOrder ? 1 : std::min(divisor, kMaxHadamardOrder);
}

void quantize_rows(ConstMatrix x, const void* center, const Int8Matrix& quantized,
                   ThreadPool& pool) {
  const OpTimer timer("quantize_rows", [&] { return moved(x.rows * x.cols, 1); });
  const std::vector<float> c = load_vector(center, DType::kF32, x.cols);
  const auto quantize = LAUREL_DISPATCH(quantize_row);
  for_rows(x.rows, x.cols, pool, [&](std::int64_t r) {
    static thread_local Scratch memory;
    quantize(x.row(r), c.data(), quantized, r, memory.get(x.cols));
  });
}

void quantize_rest(ConstMatrix x, const void* center, std::span<const std::int32_t> rows,
                   const Int8Matrix& quantized, const Int8Matrix& rest, ThreadPool& pool) {
  const auto count = static_cast<std::int64_t>(rows.size());
  const OpTimer timer("quantize_rows", [&] { return moved(count * x.cols, 1); });
  const std::vector<float> c = load_vector(center, DType::kF32, x.cols);
  const auto quantize = LAUREL_DISPATCH(quantize_rest_row);
  for_rows(count, x.cols, pool, [&](std::int64_t i) {
    static thread_local Scratch memory;
    const std::int64_t r = rows[static_cast<std::size_t>(i)];
    quantize(x.row(r), c.data(), quantized, r, rest, i, memory.get(x.cols));
  });
}

void rotate_row(const float* x, std::int64_t cols, float* y) {
  LAUREL_DISPATCH(rotate)(x, nullptr, cols, y);
}

void rotate_rows(ConstMatrix x, const std::vector<float>& center, Matrix y, ThreadPool& pool) {
  const auto rotate = LAUREL_DISPATCH(rotate);
  const float* from = center.empty() ? nullptr : center.data();
  for_rows(x.rows, x.cols, pool, [&](std::int64_t r) { rotate(x.row(r), from, x.cols, y.row(r)); });
}

}  // namespace laurel::kernels
#endif
