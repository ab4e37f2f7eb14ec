#include <algorithm>
#include <cstdint>
#include <cstring>

#include "laurel/kernels/int8.h"
#include "laurel/kernels/int8_kernels.h"
#include "laurel/kernels/isa.h"
#include "laurel/kernels/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "laurel/kernels/int8_tile.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace laurel::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using I32 = hn::ScalableTag<std::int32_t>;
using F32 = hn::ScalableTag<float>;
constexpr std::int64_t kLanes = HWY_LANES(std::int32_t);

using Ints = hn::Vec<I32>;

// Four bytes, in all lanes.
HWY_INLINE Ints broadcast(const std::uint8_t* x) {
  std::int32_t four;
  std::memcpy(&four, x, sizeof(four));
  return hn::Set(I32(), four);
}

// One group of weights of both halves of a tile's columns.
struct LoadedWeights {
  LoadedWeights(const std::int8_t* from_left, const std::int8_t* from_right)
      : left(load(from_left)), right(load(from_right)) {}

  static HWY_INLINE Ints load(const std::int8_t* from) {
#if HWY_TARGET == HWY_SCALAR
    return broadcast(reinterpret_cast<const std::uint8_t*>(from));
#else
    return hn::BitCast(I32(), hn::LoadU(hn::Repartition<std::int8_t, I32>(), from));
#endif
  }

  Ints left;
  Ints right;
};

namespace pairs {

constexpr int kTileRows = kLanes == 16 ? 12 : 6;

// Products are added in pairs to 16 bits, which kMaxInt8Pair keeps exact, and pairs of these to 32
// bits.
#if HWY_TARGET == HWY_AVX2

// With 16 registers, 12 of them sums, the right half stays in memory, and the sums where they are:
// what a compiler makes of the intrinsics has a third more instructions.
struct Weights {
  Weights(const std::int8_t* from_left, const std::int8_t* from_right)
      : left(LoadedWeights::load(from_left)), right(from_right) {}

  Ints left;
  const std::int8_t* right;
};

HWY_INLINE void multiply_add_row(Ints& left, Ints& right, const std::uint8_t* x, const Weights& b) {
  const auto ones = hn::Set(hn::Repartition<std::int16_t, I32>(), 1);
  __m256i for_left, for_right;
  asm("vpbroadcastd %[x], %[for_right]\n\t"
      "vpmaddubsw %[b_left], %[for_right], %[for_left]\n\t"
      "vpmaddubsw %[b_right], %[for_right], %[for_right]\n\t"
      "vpmaddwd %[ones], %[for_left], %[for_left]\n\t"
      "vpmaddwd %[ones], %[for_right], %[for_right]\n\t"
      "vpaddd %[for_left], %[left], %[left]\n\t"
      "vpaddd %[for_right], %[right], %[right]"
      : [left] "+x"(left.raw), [right] "+x"(right.raw), [for_left] "=&x"(for_left),
        [for_right] "=&x"(for_right)
      : [x] "m"(*reinterpret_cast<const std::uint8_t(*)[4]>(x)), [b_left] "x"(b.left.raw),
        [b_right] "m"(*reinterpret_cast<const std::int8_t(*)[32]>(b.right)), [ones] "x"(ones.raw));
}

#elif HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128

using Weights = LoadedWeights;

HWY_INLINE Ints multiply_add(Ints sum, Ints x, Ints b) {
  using I16 = hn::Repartition<std::int16_t, I32>;
#if HWY_TARGET <= HWY_AVX3
  const hn::Vec<I16> products{_mm512_maddubs_epi16(x.raw, b.raw)};
#else
  const hn::Vec<I16> products{_mm_maddubs_epi16(x.raw, b.raw)};
#endif
  Ints unused = hn::Zero(I32());
  return hn::ReorderWidenMulAccumulate(I32(), products, hn::Set(I16(), 1), sum, unused);
}

#else

using Weights = LoadedWeights;

template <int kByte>
HWY_INLINE Ints multiply_byte(Ints x, Ints b) {
  const Ints unsigned_x = hn::And(hn::ShiftRight<8 * kByte>(x), hn::Set(I32(), 0xff));
  return hn::Mul(unsigned_x, hn::ShiftRight<24>(hn::ShiftLeft<24 - 8 * kByte>(b)));
}

HWY_INLINE Ints multiply_add(Ints sum, Ints x, Ints b) {
  const Ints low = hn::Add(multiply_byte<0>(x, b), multiply_byte<1>(x, b));
  const Ints high = hn::Add(multiply_byte<2>(x, b), multiply_byte<3>(x, b));
  return hn::Add(sum, hn::Add(low, high));
}

#endif

#include "laurel/kernels/int8_tile-inl.h"

}  // namespace pairs

}  // namespace laurel::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

// VNNI and AMX are beyond what Highway's targets promise: compiled as additions to two of them, and
// chosen by asking the processor.
#if HWY_ARCH_X86 && (HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2)
#define LAUREL_INT8_VNNI
#if HWY_TARGET == HWY_AVX3
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512vnni")
#else
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avxvnni")
#endif
namespace laurel::kernels::HWY_NAMESPACE::vnni {

#if HWY_TARGET == HWY_AVX3
constexpr DotProducts kKind = DotProducts::kAvx512Vnni;
constexpr int kTileRows = 14;
HWY_INLINE Ints multiply_add(Ints sum, Ints x, Ints b) {
  return Ints{_mm512_dpbusd_epi32(sum.raw, x.raw, b.raw)};
}
#else
constexpr DotProducts kKind = DotProducts::kAvxVnni;
constexpr int kTileRows = 6;
HWY_INLINE Ints multiply_add(Ints sum, Ints x, Ints b) {
  return Ints{_mm256_dpbusd_avx_epi32(sum.raw, x.raw, b.raw)};
}
#endif

using Weights = LoadedWeights;

#include "laurel/kernels/int8_tile-inl.h"

}  // namespace laurel::kernels::HWY_NAMESPACE::vnni
HWY_POP_ATTRIBUTES
#endif

#if HWY_ARCH_X86_64 && HWY_TARGET == HWY_AVX3
#define LAUREL_INT8_AMX
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512vnni,amx-tile,amx-int8")
namespace laurel::kernels::HWY_NAMESPACE::amx {

// Tiles are 16 rows of 64 bytes: 16 sums, 64 inputs of a row of activations, or, as the weights are
// packed, the four inputs of 16 columns. 0 to 3 are sums, 4 and 5 activations, 6 and 7 weights.
constexpr int kHalf = 16;
constexpr int kTileRows = 2 * kHalf;
constexpr std::int64_t kTileGroups = 16;
constexpr std::int64_t kTileBytes = 64;
// With fewer rows the tiles of VNNI are as fast.
constexpr std::int64_t kMinRows = 5;

struct alignas(64) TileConfig {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};

  constexpr TileConfig(int top, int bottom) {
    const int sizes[] = {top, top, bottom, bottom, top, bottom, 16, 16};
    for (int i = 0; i < 8; ++i) {
      row_bytes[i] = sizes[i] > 0 ? kTileBytes : 0;
      rows[i] = static_cast<std::uint8_t>(sizes[i]);
    }
  }
};

template <int kRows>
HWY_NOINLINE void multiply_tile(const std::uint8_t* a, const std::int8_t* b, std::int64_t right,
                                std::int64_t groups, std::int32_t* sums, std::int64_t stride,
                                Accumulate accumulate) {
  constexpr int kTop = kRows < kHalf ? kRows : kHalf;
  static constexpr TileConfig kConfig(kTop, kRows - kTop);
  constexpr bool kTwo = kRows > kHalf;
  const std::int64_t stride_bytes = stride * std::int64_t{sizeof(std::int32_t)};
  std::int32_t* low_sums = sums + kHalf * stride;
  _tile_loadconfig(&kConfig);
  if (accumulate == Accumulate::kYes) {
    _tile_loadd(0, sums, stride_bytes);
    _tile_loadd(1, sums + kHalf, stride_bytes);
    if constexpr (kTwo) {
      _tile_loadd(2, low_sums, stride_bytes);
      _tile_loadd(3, low_sums + kHalf, stride_bytes);
    }
  }  // else the configuration made them 0
  std::int64_t g = 0;
  for (; g + kTileGroups <= groups; g += kTileGroups) {
    _tile_loadd(6, b, kTileBytes);
    _tile_loadd(7, b + right, kTileBytes);
    _tile_loadd(4, a, kInt8RowBytes);
    _tile_dpbusd(0, 4, 6);
    _tile_dpbusd(1, 4, 7);
    if constexpr (kTwo) {
      _tile_loadd(5, a + kHalf * kInt8RowBytes, kInt8RowBytes);
      _tile_dpbusd(2, 5, 6);
      _tile_dpbusd(3, 5, 7);
    }
    a += kTileBytes;
    b += kTileGroups * kTileBytes;
  }
  _tile_stored(0, sums, stride_bytes);
  _tile_stored(1, sums + kHalf, stride_bytes);
  if constexpr (kTwo) {
    _tile_stored(2, low_sums, stride_bytes);
    _tile_stored(3, low_sums + kHalf, stride_bytes);
  }
  _tile_release();
  if (g == groups) return;
  for (std::int64_t r = 0; r < kRows; r += vnni::kTileRows) {  // inputs that fill no tile
    const std::int64_t count = std::min<std::int64_t>(vnni::kTileRows, kRows - r);
    vnni::find_tile<vnni::kTileRows>(count)(a + r * kInt8RowBytes, b, right, groups - g,
                                            sums + r * stride, stride, Accumulate::kYes);
  }
}

template <int kRows>
Int8Tile find_tile(std::int64_t rows) {
  if (rows < kMinRows) return vnni::find_tile<vnni::kTileRows>(rows);
  if constexpr (kRows > 1) {
    if (rows < kRows) return find_tile<kRows - 1>(rows);
  }
  return multiply_tile<kRows>;
}

}  // namespace laurel::kernels::HWY_NAMESPACE::amx
HWY_POP_ATTRIBUTES
#endif

HWY_BEFORE_NAMESPACE();
namespace laurel::kernels::HWY_NAMESPACE {

// kVectors vectors of columns, from column `col` on.
template <int kVectors>
HWY_INLINE void finish_columns(const Int8TileEnd& end, std::int64_t col) {
  const I32 di;
  const F32 d;
  Ints weight_sums[kVectors];
  hn::Vec<F32> scales[kVectors], offsets[kVectors], bias[kVectors];
  const bool has_offsets = end.offsets != nullptr, has_bias = end.bias != nullptr, add = end.add;
  for (int i = 0; i < kVectors; ++i) {
    const std::int64_t c = col + i * kLanes;
    weight_sums[i] = hn::LoadU(di, end.weight_sums + c);
    scales[i] = hn::LoadU(d, end.scales + c);
    offsets[i] = has_offsets ? hn::LoadU(d, end.offsets + c) : hn::Zero(d);
    bias[i] = has_bias ? hn::LoadU(d, end.bias + c) : hn::Zero(d);
  }
  const std::int32_t* sums = end.sums + col;
  const std::int32_t* zero_points = end.zero_points;
  const float* row_scales = end.row_scales;
  float* y = end.y + col;
  for (std::int64_t r = 0; r < end.rows; ++r, sums += end.stride, y += end.y_stride) {
    const auto zero_point = hn::Set(di, zero_points[r]);
    const auto row_scale = hn::Set(d, row_scales[r]);
    for (int i = 0; i < kVectors; ++i) {
      const auto zero = hn::Mul(zero_point, weight_sums[i]);
      const auto sum = hn::Sub(hn::LoadU(di, sums + i * kLanes), zero);
      auto v = hn::Mul(hn::ConvertTo(d, sum), hn::Mul(row_scale, scales[i]));
      if (has_offsets) v = hn::Add(v, offsets[i]);
      if (has_bias) v = hn::Add(v, bias[i]);
      if (add) v = hn::Add(v, hn::LoadU(d, y + i * kLanes));
      hn::StoreU(v, d, y + i * kLanes);
    }
  }
}

void finish_column(const Int8TileEnd& end, std::int64_t c) {
  for (std::int64_t r = 0; r < end.rows; ++r) {
    // Modulo 2^32, as vectors are.
    const std::uint32_t zero = static_cast<std::uint32_t>(end.zero_points[r]) *
                               static_cast<std::uint32_t>(end.weight_sums[c]);
    const auto sum =
        static_cast<std::int32_t>(static_cast<std::uint32_t>(end.sums[r * end.stride + c]) - zero);
    float& y = end.y[r * end.y_stride + c];
    float v = static_cast<float>(sum) * (end.row_scales[r] * end.scales[c]);
    if (end.offsets != nullptr) v += end.offsets[c];
    if (end.bias != nullptr) v += end.bias[c];
    if (end.add) v += y;
    y = v;
  }
}

void finish_tile(const Int8TileEnd& end) {
  std::int64_t c = 0;
  for (; c + 2 * kLanes <= end.cols; c += 2 * kLanes) finish_columns<2>(end, c);
  for (; c + kLanes <= end.cols; c += kLanes) finish_columns<1>(end, c);
  for (; c < end.cols; ++c) finish_column(end, c);
}

const Int8Kernels& kernels_of_isa() {
#ifdef LAUREL_INT8_AMX
  static constexpr Int8Kernels kTiles{amx::kTileRows, 2 * amx::kHalf,
                                      amx::find_tile<amx::kTileRows>, finish_tile};
  if (use_dot_products(DotProducts::kAmx)) return kTiles;
#endif
#ifdef LAUREL_INT8_VNNI
  static constexpr Int8Kernels kDotProducts{vnni::kTileRows, 2 * kLanes,
                                            vnni::find_tile<vnni::kTileRows>, finish_tile};
  if (use_dot_products(vnni::kKind)) return kDotProducts;
#endif
  static_assert(2 * kLanes <= kMaxInt8TileCols);
  static constexpr Int8Kernels kPairs{pairs::kTileRows, 2 * kLanes,
                                      pairs::find_tile<pairs::kTileRows>, finish_tile};
  return kPairs;
}

}  // namespace laurel::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#undef LAUREL_INT8_AMX
#undef LAUREL_INT8_VNNI

#if HWY_ONCE
namespace laurel::kernels {

HWY_EXPORT(kernels_of_isa);

const Int8Kernels& int8_kernels() { return LAUREL_DISPATCH(kernels_of_isa)(); }

}  // namespace laurel::kernels
#endif
