// Matrices from their stored form to the panels that the register tile reads: transposed
// (expand_panel) or as they are (widen_panels).
#include <algorithm>
#include <cstdint>

#include "hwy/cache_control.h"
#include "laurel/base/quantized_blocks.h"
#include "laurel/kernels/parameter.h"
#include "laurel/kernels/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "laurel/kernels/panel.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "laurel/kernels/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace laurel::kernels::HWY_NAMESPACE {

// Element by element: any size, for the edges. Columns past the last row become 0.
template <DType kDType>
void expand_slowly(const StoredRows& w, std::int64_t k_begin, std::int64_t k_end, float* panel) {
  for (std::int64_t k = k_begin; k < k_end; ++k) {
    float* out = panel + k * kPanelCols;
    for (std::int64_t c = 0; c < kPanelCols; ++c)
      out[c] = c < w.rows ? load_element(w.data + c * w.row_bytes, kDType, k) : 0.0f;
  }
}

// kPanelCols elements in a row: any number of columns, the others become 0.
template <DType kDType>
void widen_slowly(const unsigned char* from, std::int64_t cols, float* to) {
  for (std::int64_t c = 0; c < kPanelCols; ++c)
    to[c] = c < cols ? load_element(from, kDType, c) : 0.0f;
}

#if HWY_TARGET == HWY_SCALAR

template <DType kDType>
std::int64_t expand_blocks(const StoredRows&, std::int64_t, float*) {
  return 0;
}

template <DType kDType>
HWY_INLINE void widen_row(const unsigned char* from, float* to) {
  widen_slowly<kDType>(from, kPanelCols, to);
}

#else

using U32 = hn::RebindToUnsigned<F32>;
using Bits = hn::Vec<U32>;

// float16 in the low halves of the lanes, the high ones 0. Integer arithmetic, because Highway's
// own conversion loses infinities and NaNs where the processor has none.
HWY_INLINE Vector half_to_float(Bits half) {
  const F32 d;
  const U32 du;
  const Bits magnitude = hn::ShiftLeft<13>(hn::And(half, hn::Set(du, 0x7fffu)));
  const Bits sign = hn::ShiftLeft<16>(hn::And(half, hn::Set(du, 0x8000u)));
  const Vector finite = hn::Mul(hn::BitCast(d, magnitude), hn::Set(d, 0x1p112f));
  const Vector special = hn::BitCast(d, hn::Or(magnitude, hn::Set(du, 0x7f800000u)));
  const auto is_special = hn::Ge(hn::BitCast(d, magnitude), hn::Set(d, 0x1p-96f));
  return hn::Or(hn::IfThenElse(is_special, special, finite), hn::BitCast(d, sign));
}

// One vector whose 128-bit blocks come from every fourth row, beginning with the one at p.
template <std::int64_t kNumLanes, class D = hn::Simd<float, kNumLanes, 0> >
HWY_INLINE hn::Vec<D> load_row_blocks(const unsigned char* p, std::int64_t row_bytes) {
  if constexpr (kNumLanes == 4) {
    return hn::BitCast(hn::Full128<float>(), hn::LoadU(hn::Full128<std::uint8_t>(), p));
  } else {
    const auto low = load_row_blocks<kNumLanes / 2>(p, row_bytes);
    const auto high = load_row_blocks<kNumLanes / 2>(p + kNumLanes / 2 * row_bytes, row_bytes);
    return hn::Combine(D(), high, low);
  }
}

// One vector of a transposed block: a lane is one f32 element of its row, or a pair (k, k + 1) of
// 16-bit ones.
template <DType kDType>
HWY_INLINE float* store_lanes(Vector v, float* out) {
  const F32 d;
  const U32 du;
  if constexpr (kDType == DType::kF32) {
    hn::StoreU(v, d, out);
    return out + kPanelCols;
  } else {
    const Bits bits = hn::BitCast(du, v);
    if constexpr (kDType == DType::kBF16) {
      hn::StoreU(hn::BitCast(d, hn::ShiftLeft<16>(bits)), d, out);
      hn::StoreU(hn::BitCast(d, hn::And(bits, hn::Set(du, 0xffff0000u))), d, out + kPanelCols);
    } else {
      hn::StoreU(half_to_float(hn::And(bits, hn::Set(du, 0xffffu))), d, out);
      hn::StoreU(half_to_float(hn::ShiftRight<16>(bits)), d, out + kPanelCols);
    }
    return out + 2 * kPanelCols;
  }
}

// Transposes 16 bytes of each of kLanes rows: blocks hold every fourth row, so that 4x4 transposes
// within the blocks put the rows in order.
template <DType kDType>
HWY_INLINE void transpose_four(const unsigned char* p, std::int64_t row_bytes, float* out) {
  const F32 d;
  const hn::Repartition<double, F32> dd;
  const auto r0 = load_row_blocks<kLanes>(p, row_bytes);
  const auto r1 = load_row_blocks<kLanes>(p + row_bytes, row_bytes);
  const auto r2 = load_row_blocks<kLanes>(p + 2 * row_bytes, row_bytes);
  const auto r3 = load_row_blocks<kLanes>(p + 3 * row_bytes, row_bytes);
  const auto a = hn::BitCast(dd, hn::InterleaveLower(d, r0, r1));
  const auto b = hn::BitCast(dd, hn::InterleaveLower(d, r2, r3));
  const auto e = hn::BitCast(dd, hn::InterleaveUpper(d, r0, r1));
  const auto f = hn::BitCast(dd, hn::InterleaveUpper(d, r2, r3));
  out = store_lanes<kDType>(hn::BitCast(d, hn::InterleaveLower(dd, a, b)), out);
  out = store_lanes<kDType>(hn::BitCast(d, hn::InterleaveUpper(dd, a, b)), out);
  out = store_lanes<kDType>(hn::BitCast(d, hn::InterleaveLower(dd, e, f)), out);
  store_lanes<kDType>(hn::BitCast(d, hn::InterleaveUpper(dd, e, f)), out);
}

// The rows are short runs of bytes far apart, which the processor does not foresee. The address may
// lie past the end. Into the second level: rows of a power of two of bytes share cache sets, and
// the next panel's would drive out this one's.
HWY_INLINE void prefetch_rows(const unsigned char* p, std::int64_t row_bytes) {
  for (std::int64_t r = 0; r < kLanes; ++r) __builtin_prefetch(p + r * row_bytes, 0, 2);
}

// As much of the depth as whole vectors cover; returns how much.
template <DType kDType>
std::int64_t expand_blocks(const StoredRows& w, std::int64_t depth, float* panel) {
  constexpr std::int64_t kStep = 16 / dtype_size(kDType);
  constexpr std::int64_t kLineElements = 64 / dtype_size(kDType);
  const std::int64_t ahead = kPanelCols * w.row_bytes;
  if (w.rows < kPanelCols) return 0;
  const std::int64_t whole = depth / kStep * kStep;
  for (std::int64_t half = 0; half < 2; ++half) {
    const unsigned char* p = w.data + half * kLanes * w.row_bytes;
    for (std::int64_t k = 0; k < whole; k += kStep) {
      if (k % kLineElements == 0) prefetch_rows(p + k * dtype_size(kDType) + ahead, w.row_bytes);
      transpose_four<kDType>(p + k * dtype_size(kDType), w.row_bytes,
                             panel + k * kPanelCols + half * kLanes);
    }
  }
  return whole;
}

// One vector of stored elements at any address.
template <DType kDType>
HWY_INLINE Vector widen(const unsigned char* from) {
  const F32 d;
  if constexpr (kDType == DType::kF32) {
    return hn::BitCast(d, hn::LoadU(hn::Repartition<std::uint8_t, F32>(), from));
  } else {
    const hn::Rebind<std::uint16_t, F32> d16;
    const hn::Repartition<std::uint8_t, decltype(d16)> d8;
    const Bits bits = hn::PromoteTo(U32(), hn::BitCast(d16, hn::LoadU(d8, from)));
    if constexpr (kDType == DType::kBF16) return hn::BitCast(d, hn::ShiftLeft<16>(bits));
    return half_to_float(bits);
  }
}

template <DType kDType>
HWY_INLINE void widen_row(const unsigned char* from, float* to) {
  hn::StoreU(widen<kDType>(from), F32(), to);
  hn::StoreU(widen<kDType>(from + kLanes * dtype_size(kDType)), F32(), to + kLanes);
}

#endif

template <DType kDType>
HWY_NOINLINE void expand_typed(const StoredRows& w, std::int64_t depth, float* panel) {
  expand_slowly<kDType>(w, expand_blocks<kDType>(w, depth, panel), depth, panel);
}

// Of a block type: rows are decoded a little of the depth at a time, and go on as float32.
template <DType kDType>
HWY_NOINLINE void expand_quantized(const StoredRows& w, std::int64_t depth, float* panel) {
  constexpr DTypeInfo kInfo = dtype_info(kDType);
  constexpr std::int64_t kChunk = std::max<std::int64_t>(64, kInfo.block_elements);
  constexpr std::int64_t kStride = kChunk + 16;  // not a power of two: cache sets
  HWY_ALIGN float rows[kPanelCols * kStride];
  for (std::int64_t k = 0; k < depth; k += kChunk) {
    const std::int64_t size = std::min(kChunk, depth - k);
    for (std::int64_t r = 0; r < w.rows; ++r) {
      const unsigned char* block = w.data + r * w.row_bytes + dtype_bytes(kDType, k);
      hwy::Prefetch(block + kPanelCols * w.row_bytes);  // the next panel's
      for (std::int64_t i = 0; i < size; i += kInfo.block_elements, block += kInfo.block_bytes)
        quantized::block_values<kDType>(block, rows + r * kStride + i);
    }
    const StoredRows decoded{reinterpret_cast<const unsigned char*>(rows),
                             kStride * std::int64_t{sizeof(float)}, w.rows};
    expand_typed<DType::kF32>(decoded, size, panel + k * kPanelCols);
  }
}

void expand_panel(DType dtype, const StoredRows& stored, std::int64_t depth, float* panel) {
  if (quantized::with_block_type(
          dtype, [&]<DType kDType>() { expand_quantized<kDType>(stored, depth, panel); })) {
    return;
  }
  switch (dtype) {
    case DType::kBF16:
      return expand_typed<DType::kBF16>(stored, depth, panel);
    case DType::kF16:
      return expand_typed<DType::kF16>(stored, depth, panel);
    default:
      return expand_typed<DType::kF32>(stored, depth, panel);
  }
}

template <DType kDType>
HWY_NOINLINE void widen_typed(const StoredRows& stored, std::int64_t cols, float* panels,
                              std::int64_t panel_stride) {
  constexpr std::int64_t kRowsAhead = 8;  // short runs of bytes far apart, as above
  const std::int64_t whole = cols / kPanelCols;
  for (std::int64_t k = 0; k < stored.rows; ++k) {
    const unsigned char* from = stored.data + k * stored.row_bytes;
    float* to = panels + k * kPanelCols;
    for (std::int64_t p = 0; p < whole; ++p) {
      const unsigned char* ahead = from + kRowsAhead * stored.row_bytes;
      hwy::Prefetch(ahead);
      if (kPanelCols * dtype_size(kDType) > 64) hwy::Prefetch(ahead + 64);
      widen_row<kDType>(from, to);
      from += kPanelCols * dtype_size(kDType);
      to += panel_stride;
    }
    if (whole * kPanelCols < cols) widen_slowly<kDType>(from, cols - whole * kPanelCols, to);
  }
}

void widen_panels(DType dtype, const StoredRows& stored, std::int64_t cols, float* panels,
                  std::int64_t panel_stride) {
  switch (dtype) {
    case DType::kBF16:
      return widen_typed<DType::kBF16>(stored, cols, panels, panel_stride);
    case DType::kF16:
      return widen_typed<DType::kF16>(stored, cols, panels, panel_stride);
    default:
      return widen_typed<DType::kF32>(stored, cols, panels, panel_stride);
  }
}

}  // namespace laurel::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
