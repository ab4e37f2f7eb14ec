// The register tile: c[R, 2 vectors] += a[R, depth] · b[depth, 2 vectors], one chain of
// multiply-adds per element in ascending depth. The inner loop of linear() and of attention.
// Compiled once per instruction set.
#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"

#if defined(LAUREL_KERNELS_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LAUREL_KERNELS_TILE_INL_H_
#undef LAUREL_KERNELS_TILE_INL_H_
#else
#define LAUREL_KERNELS_TILE_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace laurel::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using Vector = hn::Vec<F32>;

constexpr std::int64_t kLanes = HWY_LANES(float);
// AVX-512 and Arm have 32 vector registers, the others 16.
constexpr bool kManyRegisters = HWY_ARCH_ARM || kLanes == 16;
constexpr int kTileRows = kManyRegisters ? 14 : 6;
constexpr std::int64_t kPanelCols = 2 * kLanes;

// Longest depth of one call, and the distance between rows of `a`: a constant, so that one register
// addresses all rows; an odd number of cache lines, so that the rows do not fall into the same
// cache sets.
constexpr std::int64_t kMaxDepth = 384;
constexpr std::int64_t kDepthStride = kMaxDepth + 16;

enum class Start { kZero, kContinue };

// Accumulators as members with names of their own: g++ 12 keeps an array of them in memory, at half
// the speed.
template <int kRows>
struct Accumulators {
  Accumulators<kRows - 1> above;
  Vector left;
  Vector right;
};
template <>
struct Accumulators<0> {};

template <int kRows>
HWY_INLINE void begin_tile(Accumulators<kRows>& acc, const float* c, std::int64_t c_stride,
                           Start start) {
  if constexpr (kRows > 0) {
    begin_tile(acc.above, c, c_stride, start);
    const F32 d;
    const float* row = c + (kRows - 1) * c_stride;
    acc.left = start == Start::kZero ? hn::Zero(d) : hn::LoadU(d, row);
    acc.right = start == Start::kZero ? hn::Zero(d) : hn::LoadU(d, row + kLanes);
  }
}

template <int kRows>
HWY_INLINE void step_tile(Accumulators<kRows>& acc, const float* a, Vector b_left, Vector b_right) {
  if constexpr (kRows > 0) {
    step_tile(acc.above, a, b_left, b_right);
    const Vector x = hn::Set(F32(), a[(kRows - 1) * kDepthStride]);
    acc.left = hn::MulAdd(x, b_left, acc.left);
    acc.right = hn::MulAdd(x, b_right, acc.right);
  }
}

template <int kRows>
HWY_INLINE void end_tile(const Accumulators<kRows>& acc, float* c, std::int64_t c_stride) {
  if constexpr (kRows > 0) {
    end_tile(acc.above, c, c_stride);
    const F32 d;
    float* row = c + (kRows - 1) * c_stride;
    hn::StoreU(acc.left, d, row);
    hn::StoreU(acc.right, d, row + kLanes);
  }
}

// a: [kRows, depth] with kDepthStride; b: [depth, kPanelCols] dense; c: [kRows, kPanelCols].
template <int kRows>
HWY_NOINLINE void multiply_tile(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b,
                                std::int64_t depth, float* HWY_RESTRICT c, std::int64_t c_stride,
                                Start start) {
  const F32 d;
  Accumulators<kRows> acc;
  begin_tile(acc, c, c_stride, start);
  for (std::int64_t k = 0; k < depth; ++k) {
    step_tile(acc, a + k, hn::LoadU(d, b), hn::LoadU(d, b + kLanes));
    b += kPanelCols;
  }
  end_tile(acc, c, c_stride);
}

using TileFunction = void (*)(const float*, const float*, std::int64_t, float*, std::int64_t,
                              Start);

// The tile for `rows` rows, 1 <= rows <= kTileRows.
template <int kRows = kTileRows>
TileFunction tile_function(std::int64_t rows) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return tile_function<kRows - 1>(rows);
  }
  return multiply_tile<kRows>;
}

}  // namespace laurel::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
