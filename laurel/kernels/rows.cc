// The ops that take each row (or element) by itself: norm, rotary embedding, activation, rounding,
// gathers.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "laurel/kernels/backward.h"
#include "laurel/kernels/loops.h"
#include "laurel/kernels/op_clock.h"
#include "laurel/kernels/ops.h"
#include "laurel/kernels/parameter.h"
#include "laurel/kernels/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "laurel/kernels/rows.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "laurel/kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace laurel::kernels::HWY_NAMESPACE {

void rms_norm_row(const float* x, const float* weight, std::int64_t cols, float eps, float* y) {
  const F32 d;
  const float scale = inverse_rms(x, cols, eps);
  const Vector scales = hn::Set(d, scale);
  std::int64_t i = 0;
  for (; i + kLanes <= cols; i += kLanes) {
    const Vector normed = hn::Mul(hn::LoadU(d, x + i), scales);
    hn::StoreU(hn::Mul(normed, hn::LoadU(d, weight + i)), d, y + i);
  }
  for (; i < cols; ++i) y[i] = x[i] * scale * weight[i];
}

// One head: the first half of the pairs at x, the second at x + half.
void rotary_head(float* x, const float* cosines, const float* sines, std::int64_t half) {
  const F32 d;
  std::int64_t i = 0;
  for (; i + kLanes <= half; i += kLanes) {
    const Vector a = hn::LoadU(d, x + i), b = hn::LoadU(d, x + half + i);
    const Vector c = hn::LoadU(d, cosines + i), s = hn::LoadU(d, sines + i);
    hn::StoreU(hn::Sub(hn::Mul(a, c), hn::Mul(b, s)), d, x + i);
    hn::StoreU(hn::Add(hn::Mul(b, c), hn::Mul(a, s)), d, x + half + i);
  }
  for (; i < half; ++i) {
    const float a = x[i], b = x[half + i];
    x[i] = a * cosines[i] - b * sines[i];
    x[half + i] = b * cosines[i] + a * sines[i];
  }
}

void silu_mul_row(const float* gate, const float* up, std::int64_t cols, float* y) {
  const F32 d;
  std::int64_t i = 0;
  for (; i + kLanes <= cols; i += kLanes) {
    hn::StoreU(hn::Mul(silu(hn::LoadU(d, gate + i)), hn::LoadU(d, up + i)), d, y + i);
  }
  if (i == cols) return;
  const Padded g(gate + i, cols - i), u(up + i, cols - i);
  HWY_ALIGN float result[kSumLanes];
  hn::Store(hn::Mul(silu(hn::Load(d, g.values)), hn::Load(d, u.values)), d, result);
  std::copy(result, result + (cols - i), y + i);
}

void round_to_bf16_row(float* x, std::int64_t cols) {
  const F32 d;
  const hn::RebindToUnsigned<F32> du;
  std::int64_t i = 0;
  for (; i + kLanes <= cols; i += kLanes) {
    const Vector v = hn::LoadU(d, x + i);
    const auto bits = hn::BitCast(du, v);
    const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1u));
    const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(du, 0x7fffu)));
    const auto quiet = hn::Or(bits, hn::Set(du, 0x400000u));  // a NaN stays one
    const auto chosen = hn::IfThenElse(hn::RebindMask(du, hn::IsNaN(v)), quiet, rounded);
    hn::StoreU(hn::BitCast(d, hn::And(chosen, hn::Set(du, 0xffff0000u))), d, x + i);
  }
  for (; i < cols; ++i) x[i] = bf16_to_float(float_to_bf16(x[i]));
}

void expand_bf16_row(const unsigned char* from, std::int64_t cols, float* to) {
  const hn::Rebind<std::uint16_t, F32> d16;
  const hn::RebindToUnsigned<F32> du;
  std::int64_t i = 0;
  for (; i + kLanes <= cols; i += kLanes) {
    HWY_ALIGN std::uint16_t bits[kLanes];  // `from` may be at an odd address
    std::memcpy(bits, from + 2 * i, sizeof(bits));
    const auto wide = hn::ShiftLeft<16>(hn::PromoteTo(du, hn::Load(d16, bits)));
    hn::StoreU(hn::BitCast(F32(), wide), F32(), to + i);
  }
  for (; i < cols; ++i) to[i] = load_element(from, DType::kBF16, i);
}

}  // namespace laurel::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace laurel::kernels {
namespace {

HWY_EXPORT(rms_norm_row);
HWY_EXPORT(rotary_head);
HWY_EXPORT(silu_mul_row);
HWY_EXPORT(round_to_bf16_row);
HWY_EXPORT(expand_bf16_row);

}  // namespace

void embedding(std::span<const std::int32_t> ids, const Weight& table, Matrix out,
               ThreadPool& pool) {
  const OpTimer timer("embedding", [&] { return moved(out.rows * out.cols, 2); });
  const std::int64_t cols = table.in_features;
  const std::int64_t row_bytes = dtype_bytes(table.dtype, cols);
  const auto expand = LAUREL_DISPATCH(expand_bf16_row);
  for_rows(out.rows, cols, pool, [&](std::int64_t r) {
    const auto* from = static_cast<const unsigned char*>(table.data) +
                       ids[static_cast<std::size_t>(r)] * row_bytes;
    if (table.dtype == DType::kBF16) {
      expand(from, cols, out.row(r));
    } else {
      values_of(table.dtype, from, cols, out.row(r));
    }
  });
}

void rms_norm(ConstMatrix x, const VectorParameter& weight, float eps, Matrix y, ThreadPool& pool) {
  const OpTimer timer("rms_norm", [&] { return moved(x.rows * x.cols, 2); });
  const std::vector<float> values = load_vector(weight.data, weight.dtype, weight.size);
  const auto norm = LAUREL_DISPATCH(rms_norm_row);
  for_rows(x.rows, x.cols, pool,
           [&](std::int64_t r) { norm(x.row(r), values.data(), x.cols, eps, y.row(r)); });
}

void rotary(Matrix x, std::int64_t num_heads, std::int64_t head_dim,
            std::span<const std::int32_t> positions, const RotaryTable& table, ThreadPool& pool) {
  const OpTimer timer("rotary", [&] { return moved(x.rows * x.cols, 2); });
  const auto rotate = LAUREL_DISPATCH(rotary_head);
  for_rows(x.rows, x.cols, pool, [&](std::int64_t r) {
    const std::int64_t at = positions[static_cast<std::size_t>(r)] * table.half_dim;
    for (std::int64_t h = 0; h < num_heads; ++h) {
      rotate(x.row(r) + h * head_dim, table.cosines.data() + at, table.sines.data() + at,
             table.half_dim);
    }
  });
}

void silu_mul(ConstMatrix gate, ConstMatrix up, Matrix y, ThreadPool& pool) {
  const OpTimer timer("silu_mul", [&] { return moved(y.rows * y.cols, 3); });
  const auto multiply = LAUREL_DISPATCH(silu_mul_row);
  for_rows(y.rows, y.cols, pool,
           [&](std::int64_t r) { multiply(gate.row(r), up.row(r), y.cols, y.row(r)); });
}

void silu_mul(Matrix gate, ConstMatrix up, ThreadPool& pool) { silu_mul(gate, up, gate, pool); }

void round_to_bf16(Matrix x, ThreadPool& pool) {
  const OpTimer timer("round_to_bf16", [&] { return moved(x.rows * x.cols, 2); });
  const auto round = LAUREL_DISPATCH(round_to_bf16_row);
  for_rows(x.rows, x.cols, pool, [&](std::int64_t r) { round(x.row(r), x.cols); });
}

void gather_rows(ConstMatrix x, std::span<const std::int32_t> rows, Matrix y, ThreadPool& pool) {
  const OpTimer timer("gather_rows", [&] { return moved(y.rows * y.cols, 2); });
  for_rows(y.rows, y.cols, pool, [&](std::int64_t r) {
    std::memcpy(y.row(r), x.row(rows[static_cast<std::size_t>(r)]),
                static_cast<std::size_t>(y.cols) * sizeof(float));
  });
}

}  // namespace laurel::kernels
#endif
