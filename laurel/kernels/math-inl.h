// Vector functions that ops share. Every one does the same operations in the same order whatever
// the number of lanes, so that all instruction sets with fused multiply-add give the same bits.
// Compiled once per instruction set.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "hwy/highway.h"
#include "laurel/kernels/tile-inl.h"

#if defined(LAUREL_KERNELS_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LAUREL_KERNELS_MATH_INL_H_
#undef LAUREL_KERNELS_MATH_INL_H_
#else
#define LAUREL_KERNELS_MATH_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace laurel::kernels::HWY_NAMESPACE {

// e^x for x <= 0, within 1 ulp; results below 2^-126 become 0, NaN stays NaN.
// e^x = 2^n · e^r, |r| <= ln(2)/2, e^r = 1 + r + r² · q(r), q fitted for the least relative error.
HWY_INLINE Vector exp_negative(Vector x) {
  const F32 d;
  const hn::RebindToSigned<F32> di;
  const auto too_small = hn::Lt(x, hn::Set(d, -87.33654f));
  const Vector n = hn::Round(hn::Mul(x, hn::Set(d, 1.44269504f)));
  // ln(2) in two parts; the first has 9 significant bits, so n times it is exact without FMA, too.
  const Vector r0 = hn::NegMulAdd(n, hn::Set(d, 0.693359375f), x);
  const Vector r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4f), r0);
  Vector q = hn::Set(d, 0x1.6a1f74p-10f);
  q = hn::MulAdd(q, r, hn::Set(d, 0x1.123ccap-7f));
  q = hn::MulAdd(q, r, hn::Set(d, 0x1.555904p-5f));
  q = hn::MulAdd(q, r, hn::Set(d, 0x1.55548ep-3f));
  q = hn::MulAdd(q, r, hn::Set(d, 0x1.fffffcp-2f));
  const Vector e = hn::Add(hn::MulAdd(hn::Mul(r, r), q, r), hn::Set(d, 1.0f));
  const auto exponent = hn::ShiftLeft<23>(hn::Add(hn::ConvertTo(di, n), hn::Set(di, 127)));
  const Vector result = hn::Mul(e, hn::BitCast(d, exponent));
  return hn::IfThenElse(too_small, hn::Zero(d), result);
}

// x / (1 + e^-x), without overflow: for negative x the fraction is multiplied by e^x.
HWY_INLINE Vector silu(Vector x) {
  const F32 d;
  const Vector one = hn::Set(d, 1.0f);
  const Vector e = exp_negative(hn::Neg(hn::Abs(x)));
  const Vector numerator = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Mul(x, e), x);
  return hn::Div(numerator, hn::Add(one, e));
}

// c · tanh(x / c), |error| within 4 ulp of c.
HWY_INLINE Vector soft_cap(Vector x, Vector cap, Vector inverse_cap) {
  const F32 d;
  const Vector one = hn::Set(d, 1.0f);
  const Vector z = hn::Mul(x, inverse_cap);
  const Vector e = exp_negative(hn::Mul(hn::Abs(z), hn::Set(d, -2.0f)));
  const Vector magnitude = hn::Div(hn::Sub(one, e), hn::Add(one, e));
  return hn::Mul(cap, hn::CopySign(magnitude, z));
}

// Sums in 16 lanes, element i in lane i mod 16, whatever the vectors' length: kParts vectors of
// kLanes.
constexpr std::int64_t kSumLanes = 16;
constexpr int kSumParts = static_cast<int>(kSumLanes / kLanes);

template <int kParts = kSumParts>
struct LaneSums {
  LaneSums<kParts - 1> before;
  Vector part;
};
template <>
struct LaneSums<0> {};

template <int kParts>
HWY_INLINE void clear_sums(LaneSums<kParts>& sums) {
  if constexpr (kParts > 0) {
    clear_sums(sums.before);
    sums.part = hn::Zero(F32());
  }
}

template <int kParts>
HWY_INLINE void store_sums(const LaneSums<kParts>& sums, float* p) {
  if constexpr (kParts > 0) {
    store_sums(sums.before, p);
    hn::StoreU(sums.part, F32(), p + (kParts - 1) * kLanes);
  }
}

// The last cols % 16 elements of a row, padded with zeros, as 16 of their own.
struct Padded {
  HWY_ALIGN float values[kSumLanes] = {};
  Padded(const float* p, std::int64_t count) { std::copy(p, p + count, values); }
};

// Adds the squares of 16 elements.
template <int kParts>
HWY_INLINE void add_squares(LaneSums<kParts>& sums, const float* p) {
  if constexpr (kParts > 0) {
    add_squares(sums.before, p);
    const Vector x = hn::LoadU(F32(), p + (kParts - 1) * kLanes);
    sums.part = hn::MulAdd(x, x, sums.part);
  }
}

// Adds 16 lanes pairwise, always in the same order.
inline float reduce_lanes(const float* lanes) {
  float sums[kSumLanes];
  for (std::int64_t i = 0; i < kSumLanes; ++i) sums[i] = lanes[i];
  for (std::int64_t width = kSumLanes / 2; width > 0; width /= 2) {
    for (std::int64_t i = 0; i < width; ++i) sums[i] += sums[i + width];
  }
  return sums[0];
}

// 1 / sqrt(mean(x²) + eps).
inline float inverse_rms(const float* x, std::int64_t cols, float eps) {
  LaneSums<> sums;
  clear_sums(sums);
  std::int64_t i = 0;
  for (; i + kSumLanes <= cols; i += kSumLanes) add_squares(sums, x + i);
  if (i < cols) add_squares(sums, Padded(x + i, cols - i).values);
  HWY_ALIGN float lanes[kSumLanes];
  store_sums(sums, lanes);
  return 1.0f / std::sqrt(reduce_lanes(lanes) / static_cast<float>(cols) + eps);
}

}  // namespace laurel::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
