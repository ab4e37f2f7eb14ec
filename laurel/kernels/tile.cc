#include <algorithm>
#include <cstdint>

#include "laurel/kernels/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "laurel/kernels/tile.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "laurel/kernels/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace laurel::kernels::HWY_NAMESPACE {

constexpr std::int64_t kLineFloats = 16;  // of a cache line

// Accumulators as members, not an array: g++ 12 at -O2 keeps an array of them in memory, at less
// than half the speed.
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

template <TileInput kInput, int kRows>
HWY_INLINE void step_tile(Accumulators<kRows>& acc, const float* a, Vector b_left, Vector b_right) {
  if constexpr (kRows > 0) {
    step_tile<kInput>(acc.above, a, b_left, b_right);
    constexpr std::int64_t kRowStep = kInput == TileInput::kRows ? kDepthStride : 1;
    const Vector x = hn::Set(F32(), a[(kRows - 1) * kRowStep]);
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

template <TileInput kInput, int kRows>
HWY_INLINE void add_steps(Accumulators<kRows>& acc, const float* HWY_RESTRICT& a,
                          const float* HWY_RESTRICT& b, std::int64_t depth) {
  const F32 d;
// Few enough rounds that processors foresee the last. Clang with sanitizers takes minutes over it.
#if HWY_COMPILER_GCC_ACTUAL
#pragma GCC unroll 8
#endif
  for (std::int64_t k = 0; k < depth; ++k) {
    step_tile<kInput>(acc, a, hn::LoadU(d, b), hn::LoadU(d, b + kLanes));
    a += kInput == TileInput::kRows ? 1 : kColumnStride;
    b += kPanelCols;
  }
}

// The lines of elements [begin, end) of every row.
HWY_INLINE void fetch(const Ahead& ahead, std::int64_t begin, std::int64_t end) {
  const float* row = ahead.data;
  for (std::int64_t r = 0; r < ahead.rows; ++r, row += ahead.stride) {
    for (std::int64_t k = begin; k < end; k += kLineFloats) __builtin_prefetch(row + k, 0, 2);
  }
}

template <int kRows, TileInput kInput>
HWY_NOINLINE void multiply_tile(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b,
                                std::int64_t depth, float* HWY_RESTRICT c, std::int64_t c_stride,
                                Start start, const Ahead& ahead) {
  Accumulators<kRows> acc;
  begin_tile(acc, c, c_stride, start);
  // Short parts would take the small tile 3 % of its time.
  const std::int64_t part = kManyRegisters && ahead.rows > 0 ? kLineFloats : depth;
  for (std::int64_t k = 0; k < depth; k += part) {
    const std::int64_t end = std::min(k + part, depth);
    fetch(ahead, k, end);
    add_steps<kInput>(acc, a, b, end - k);
  }
  end_tile(acc, c, c_stride);
}

template <int kRows>
TileFunction find_tile(std::int64_t rows, TileInput input) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return find_tile<kRows - 1>(rows, input);
  }
  return input == TileInput::kRows ? multiply_tile<kRows, TileInput::kRows>
                                   : multiply_tile<kRows, TileInput::kColumns>;
}

TileFunction tile_function(std::int64_t rows, TileInput input) {
  return find_tile<kTileRows>(rows, input);
}

}  // namespace laurel::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
