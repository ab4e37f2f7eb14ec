#include "laurel/kernels/int8_kernels.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "laurel/kernels/int8.h"
#include "laurel/kernels/isa.h"
#include "laurel/kernels/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "laurel/kernels/int8_tile.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

// Includes of intrinsics come with Highway; a set with VNNI beyond what Highway's targets promise
// is compiled as an addition to AVX3 and chosen by asking the processor.
#if HWY_TARGET == HWY_AVX3
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512vnni")
namespace laurel::kernels::HWY_NAMESPACE::vnni {

// 14 rows × 2 vectors of 16 columns. Accumulators as members: see tile.cc.
constexpr int kTileRows = 14;

template <int kRows>
struct Sums {
  Sums<kRows - 1> above;
  __m512i left;
  __m512i right;
};
template <>
struct Sums<0> {};

template <int kRows>
HWY_INLINE void begin(Sums<kRows>& sums) {
  if constexpr (kRows > 0) {
    begin(sums.above);
    sums.left = _mm512_setzero_si512();
    sums.right = _mm512_setzero_si512();
  }
}

template <int kRows>
HWY_INLINE void step(Sums<kRows>& sums, const unsigned char* a, __m512i b_left, __m512i b_right) {
  if constexpr (kRows > 0) {
    step(sums.above, a, b_left, b_right);
    std::int32_t four;
    std::memcpy(&four, a + (kRows - 1) * kInt8RowBytes, sizeof(four));
    const __m512i x = _mm512_set1_epi32(four);
    sums.left = _mm512_dpbusd_epi32(sums.left, b_left, x);
    sums.right = _mm512_dpbusd_epi32(sums.right, b_right, x);
  }
}

HWY_INLINE void store(__m512i sum, std::int32_t* to, Accumulate accumulate) {
  if (accumulate == Accumulate::kYes) sum = _mm512_add_epi32(sum, _mm512_loadu_si512(to));
  _mm512_storeu_si512(to, sum);
}

template <int kRows>
HWY_INLINE void end(const Sums<kRows>& sums, std::int32_t* to, std::int64_t stride,
                    Accumulate accumulate) {
  if constexpr (kRows > 0) {
    end(sums.above, to, stride, accumulate);
    store(sums.left, to + (kRows - 1) * stride, accumulate);
    store(sums.right, to + (kRows - 1) * stride + 16, accumulate);
  }
}

template <int kRows>
HWY_NOINLINE void multiply_tile(const void* a, const unsigned char* b, std::int64_t right,
                                std::int64_t groups, std::int32_t* sums, std::int64_t stride,
                                Accumulate accumulate) {
  Sums<kRows> acc;
  begin(acc);
  const auto* row = static_cast<const unsigned char*>(a);
  for (std::int64_t g = 0; g < groups; ++g) {
    step(acc, row, _mm512_loadu_si512(b), _mm512_loadu_si512(b + right));
    row += 4;
    b += 64;
  }
  end(acc, sums, stride, accumulate);
}

template <int kRows>
Int8Tile find_tile(std::int64_t rows) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return find_tile<kRows - 1>(rows);
  }
  return multiply_tile<kRows>;
}

}  // namespace laurel::kernels::HWY_NAMESPACE::vnni
HWY_POP_ATTRIBUTES
#endif

HWY_BEFORE_NAMESPACE();
namespace laurel::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using I32 = hn::ScalableTag<std::int32_t>;
using F32 = hn::ScalableTag<float>;
constexpr std::int64_t kLanes = HWY_LANES(std::int32_t);

#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR

// Weights and activations widened to 16 bits; products of neighbors are added in pairs (pmaddwd),
// exactly. A vector of weights holds 4 inputs of kLanes / 2 columns, so that a column has two sums
// side by side.
constexpr int kTileRows = kLanes == 16 ? 12 : 6;
constexpr std::int64_t kTileCols = kLanes;
using RowElement = std::int16_t;

using I16 = hn::Repartition<std::int16_t, I32>;
using Words = hn::Vec<I16>;
using Ints = hn::Vec<I32>;

template <int kRows>
struct Sums {
  Sums<kRows - 1> above;
  Ints left;
  Ints right;
};
template <>
struct Sums<0> {};

template <int kRows>
HWY_INLINE void begin(Sums<kRows>& sums) {
  if constexpr (kRows > 0) {
    begin(sums.above);
    sums.left = hn::Zero(I32());
    sums.right = hn::Zero(I32());
  }
}

HWY_INLINE Words load_weights(const unsigned char* b) {
  return hn::PromoteTo(I16(), hn::LoadU(hn::Rebind<std::uint8_t, I16>(), b));
}

template <int kRows>
HWY_INLINE void step(Sums<kRows>& sums, const unsigned char* a, Words b_left, Words b_right) {
  if constexpr (kRows > 0) {
    step(sums.above, a, b_left, b_right);
    std::int64_t four;
    std::memcpy(&four, a + (kRows - 1) * kInt8RowBytes, sizeof(four));
    const Words x = hn::BitCast(I16(), hn::Set(hn::Repartition<std::int64_t, I32>(), four));
    Ints unused = hn::Zero(I32());
    sums.left = hn::ReorderWidenMulAccumulate(I32(), b_left, x, sums.left, unused);
    sums.right = hn::ReorderWidenMulAccumulate(I32(), b_right, x, sums.right, unused);
#if HWY_COMPILER_GCC_ACTUAL && HWY_ARCH_X86  // else g++ moves all loads up and spills the sums
    asm volatile("" : "+v"(sums.left.raw), "+v"(sums.right.raw));
#endif
  }
}

template <int kRows>
HWY_INLINE void end(const Sums<kRows>& sums, std::int32_t* to, std::int64_t stride,
                    Accumulate accumulate) {
  if constexpr (kRows > 0) {
    end(sums.above, to, stride, accumulate);
    std::int32_t* row = to + (kRows - 1) * stride;
    Ints sum = hn::Add(hn::ConcatEven(I32(), sums.right, sums.left),
                       hn::ConcatOdd(I32(), sums.right, sums.left));
    if (accumulate == Accumulate::kYes) sum = hn::Add(sum, hn::LoadU(I32(), row));
    hn::StoreU(sum, I32(), row);
  }
}

template <int kRows>
HWY_NOINLINE void multiply_tile(const void* a, const unsigned char* b, std::int64_t right,
                                std::int64_t groups, std::int32_t* sums, std::int64_t stride,
                                Accumulate accumulate) {
  Sums<kRows> acc;
  begin(acc);
  const auto* row = static_cast<const unsigned char*>(a);
  for (std::int64_t g = 0; g < groups; ++g) {
    step(acc, row, load_weights(b), load_weights(b + right));
    row += 4 * sizeof(RowElement);
    b += kInt8PanelChannels * kInt8GroupInputs;
  }
  end(acc, sums, stride, accumulate);
}

#else

// Plain loops; sums are unsigned, where wrapping around is defined.
constexpr int kTileRows = 4;
constexpr std::int64_t kTileCols = kInt8PanelChannels;
using RowElement = std::int8_t;

template <int kRows>
void multiply_tile(const void* a, const unsigned char* b, std::int64_t, std::int64_t groups,
                   std::int32_t* sums, std::int64_t stride, Accumulate accumulate) {
  for (int r = 0; r < kRows; ++r) {
    const std::int8_t* row = static_cast<const std::int8_t*>(a) + r * kInt8RowBytes;
    std::uint32_t acc[kTileCols] = {};
    for (std::int64_t g = 0; g < groups; ++g) {
      for (std::int64_t c = 0; c < kTileCols; ++c) {
        std::int32_t sum = 0;
        for (std::int64_t k = 0; k < 4; ++k)
          sum += row[g * 4 + k] * std::int32_t{b[(g * kTileCols + c) * 4 + k]};
        acc[c] += static_cast<std::uint32_t>(sum);
      }
    }
    for (std::int64_t c = 0; c < kTileCols; ++c) {
      std::int32_t& to = sums[r * stride + c];
      const auto old = accumulate == Accumulate::kNo ? 0 : static_cast<std::uint32_t>(to);
      to = static_cast<std::int32_t>(old + acc[c]);
    }
  }
}

#endif

template <int kRows>
Int8Tile find_tile(std::int64_t rows) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return find_tile<kRows - 1>(rows);
  }
  return multiply_tile<kRows>;
}

void load_bytes(const std::int8_t* from, std::int64_t depth, void* to) {
  std::memcpy(to, from, static_cast<std::size_t>(depth));
}

void load_row(const std::int8_t* from, std::int64_t depth, void* to) {
  std::copy_n(from, depth, static_cast<RowElement*>(to));
}

void finish_row(const Int8RowEnd& row) {
  const I32 di;
  const F32 d;
  // Modulo 2^32, as the sums are.
  const auto shift = static_cast<std::int32_t>(static_cast<std::uint32_t>(kInt8ZeroPoint) *
                                               static_cast<std::uint32_t>(row.row_sum));
  std::int64_t i = 0;
  for (; i + kLanes <= row.cols; i += kLanes) {
    const auto sum = hn::Sub(hn::LoadU(di, row.sums + i), hn::Set(di, shift));
    const auto scale = hn::Mul(hn::Set(d, row.row_scale), hn::LoadU(d, row.scales + i));
    auto v = hn::Mul(hn::ConvertTo(d, sum), scale);
    if (row.bias != nullptr) v = hn::Add(v, hn::LoadU(d, row.bias + i));
    if (row.add) v = hn::Add(v, hn::LoadU(d, row.y + i));
    hn::StoreU(v, d, row.y + i);
  }
  for (; i < row.cols; ++i) {
    const std::int32_t sum = static_cast<std::int32_t>(static_cast<std::uint32_t>(row.sums[i]) -
                                                       static_cast<std::uint32_t>(shift));
    float v = static_cast<float>(sum) * (row.row_scale * row.scales[i]);
    if (row.bias != nullptr) v += row.bias[i];
    if (row.add) v += row.y[i];
    row.y[i] = v;
  }
}

const Int8Kernels& kernels_of_isa() {
  constexpr std::int64_t kRowElements = (kInt8RowBytes - 64) / sizeof(RowElement);
#if HWY_TARGET == HWY_AVX3
  static constexpr Int8Kernels kVnni{vnni::kTileRows,    32,
                                     kInt8RowBytes - 64, vnni::find_tile<vnni::kTileRows>,
                                     load_bytes,         finish_row};
  if (use_vnni()) return kVnni;
#endif
  static constexpr Int8Kernels kKernels{kTileRows, kTileCols, kRowElements, find_tile<kTileRows>,
                                        load_row,  finish_row};
  return kKernels;
}

}  // namespace laurel::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace laurel::kernels {

HWY_EXPORT(kernels_of_isa);

const Int8Kernels& int8_kernels() { return HWY_DYNAMIC_DISPATCH(kernels_of_isa)(); }

}  // namespace laurel::kernels
#endif
