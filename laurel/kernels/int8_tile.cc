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

namespace pairs {

constexpr int kTileRows = kLanes == 16 ? 12 : 6;

#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR

// Products are added in pairs to 16 bits, which kMaxInt8Pair keeps exact, and pairs of these to 32
// bits.
HWY_INLINE Ints multiply_add(Ints sum, Ints x, Ints b) {
  using I16 = hn::Repartition<std::int16_t, I32>;
#if HWY_TARGET <= HWY_AVX3
  const hn::Vec<I16> products{_mm512_maddubs_epi16(x.raw, b.raw)};
#elif HWY_TARGET <= HWY_AVX2
  const hn::Vec<I16> products{_mm256_maddubs_epi16(x.raw, b.raw)};
#else
  const hn::Vec<I16> products{_mm_maddubs_epi16(x.raw, b.raw)};
#endif
  Ints unused = hn::Zero(I32());
  return hn::ReorderWidenMulAccumulate(I32(), products, hn::Set(I16(), 1), sum, unused);
}

#else

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

// VNNI is beyond what Highway's targets promise: compiled as an addition to two of them, and chosen
// by asking the processor.
#if HWY_ARCH_X86 && (HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2)
#define LAUREL_INT8_VNNI
#if HWY_TARGET == HWY_AVX3
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512vnni")
#else
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avxvnni")
#endif
namespace laurel::kernels::HWY_NAMESPACE::vnni {

#if HWY_TARGET == HWY_AVX3
constexpr Vnni kVnni = Vnni::kAvx512;
constexpr int kTileRows = 14;
HWY_INLINE Ints multiply_add(Ints sum, Ints x, Ints b) {
  return Ints{_mm512_dpbusd_epi32(sum.raw, x.raw, b.raw)};
}
#else
constexpr Vnni kVnni = Vnni::kAvx2;
constexpr int kTileRows = 6;
HWY_INLINE Ints multiply_add(Ints sum, Ints x, Ints b) {
  return Ints{_mm256_dpbusd_avx_epi32(sum.raw, x.raw, b.raw)};
}
#endif

#include "laurel/kernels/int8_tile-inl.h"

}  // namespace laurel::kernels::HWY_NAMESPACE::vnni
HWY_POP_ATTRIBUTES
#endif

HWY_BEFORE_NAMESPACE();
namespace laurel::kernels::HWY_NAMESPACE {

void finish_row(const Int8RowEnd& row) {
  const I32 di;
  const F32 d;
  std::int64_t i = 0;
  for (; i + kLanes <= row.cols; i += kLanes) {
    const auto zero = hn::Mul(hn::Set(di, row.zero_point), hn::LoadU(di, row.weight_sums + i));
    const auto sum = hn::Sub(hn::LoadU(di, row.sums + i), zero);
    const auto scale = hn::Mul(hn::Set(d, row.row_scale), hn::LoadU(d, row.scales + i));
    auto v = hn::Mul(hn::ConvertTo(d, sum), scale);
    if (row.bias != nullptr) v = hn::Add(v, hn::LoadU(d, row.bias + i));
    if (row.add) v = hn::Add(v, hn::LoadU(d, row.y + i));
    hn::StoreU(v, d, row.y + i);
  }
  for (; i < row.cols; ++i) {
    // Modulo 2^32, as vectors are.
    const std::uint32_t zero =
        static_cast<std::uint32_t>(row.zero_point) * static_cast<std::uint32_t>(row.weight_sums[i]);
    const auto sum = static_cast<std::int32_t>(static_cast<std::uint32_t>(row.sums[i]) - zero);
    float v = static_cast<float>(sum) * (row.row_scale * row.scales[i]);
    if (row.bias != nullptr) v += row.bias[i];
    if (row.add) v += row.y[i];
    row.y[i] = v;
  }
}

const Int8Kernels& kernels_of_isa() {
#ifdef LAUREL_INT8_VNNI
  static constexpr Int8Kernels kDotProducts{vnni::kTileRows, 2 * kLanes,
                                            vnni::find_tile<vnni::kTileRows>, finish_row};
  if (use_vnni(vnni::kVnni)) return kDotProducts;
#endif
  static constexpr Int8Kernels kPairs{pairs::kTileRows, 2 * kLanes,
                                      pairs::find_tile<pairs::kTileRows>, finish_row};
  return kPairs;
}

}  // namespace laurel::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#undef LAUREL_INT8_VNNI

#if HWY_ONCE
namespace laurel::kernels {

HWY_EXPORT(kernels_of_isa);

const Int8Kernels& int8_kernels() { return HWY_DYNAMIC_DISPATCH(kernels_of_isa)(); }

}  // namespace laurel::kernels
#endif
