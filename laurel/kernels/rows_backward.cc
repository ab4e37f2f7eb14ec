// The backward side of rows.cc, and the ops that add rows to rows.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "laurel/kernels/backward.h"
#include "laurel/kernels/loops.h"
#include "laurel/kernels/op_clock.h"
#include "laurel/kernels/parameter.h"
#include "laurel/kernels/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "laurel/kernels/rows_backward.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "laurel/kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace laurel::kernels::HWY_NAMESPACE {

// Adds (w · dy) · x of 16 elements.
template <int kParts>
HWY_INLINE void add_products(LaneSums<kParts>& sums, const float* w, const float* dy,
                             const float* x) {
  if constexpr (kParts > 0) {
    add_products(sums.before, w, dy, x);
    const F32 d;
    constexpr std::int64_t kAt = (kParts - 1) * kLanes;
    const Vector scaled = hn::Mul(hn::LoadU(d, w + kAt), hn::LoadU(d, dy + kAt));
    sums.part = hn::MulAdd(scaled, hn::LoadU(d, x + kAt), sums.part);
  }
}

float weighted_dot(const float* w, const float* dy, const float* x, std::int64_t cols) {
  LaneSums<> sums;
  clear_sums(sums);
  std::int64_t i = 0;
  for (; i + kSumLanes <= cols; i += kSumLanes) add_products(sums, w + i, dy + i, x + i);
  if (i < cols) {
    const std::int64_t rest = cols - i;
    add_products(sums, Padded(w + i, rest).values, Padded(dy + i, rest).values,
                 Padded(x + i, rest).values);
  }
  HWY_ALIGN float lanes[kSumLanes];
  store_sums(sums, lanes);
  return reduce_lanes(lanes);
}

// With s = 1 / rms(x): dx = s · (w · dy - x · s² · mean(w · dy · x)).
void rms_norm_backward_row(const float* x, const float* w, float eps, const float* dy,
                           std::int64_t cols, Accumulate accumulate, float* dx) {
  const F32 d;
  const float scale = inverse_rms(x, cols, eps);
  const float pull = scale * scale * (weighted_dot(w, dy, x, cols) / static_cast<float>(cols));
  const Vector scales = hn::Set(d, scale), pulls = hn::Set(d, pull);
  const bool add = accumulate == Accumulate::kYes;
  std::int64_t i = 0;
  for (; i + kLanes <= cols; i += kLanes) {
    const Vector direct = hn::Mul(hn::LoadU(d, w + i), hn::LoadU(d, dy + i));
    const Vector v = hn::Mul(scales, hn::Sub(direct, hn::Mul(hn::LoadU(d, x + i), pulls)));
    hn::StoreU(add ? hn::Add(hn::LoadU(d, dx + i), v) : v, d, dx + i);
  }
  for (; i < cols; ++i) {
    const float v = scale * (w[i] * dy[i] - x[i] * pull);
    dx[i] = add ? dx[i] + v : v;
  }
}

float rms_scale(const float* x, std::int64_t cols, float eps) { return inverse_rms(x, cols, eps); }

// y += dy · (x · scale).
void add_scaled_product(const float* dy, const float* x, float scale, std::int64_t cols, float* y) {
  const F32 d;
  const Vector scales = hn::Set(d, scale);
  std::int64_t i = 0;
  for (; i + kLanes <= cols; i += kLanes) {
    const Vector normed = hn::Mul(hn::LoadU(d, x + i), scales);
    hn::StoreU(hn::Add(hn::LoadU(d, y + i), hn::Mul(hn::LoadU(d, dy + i), normed)), d, y + i);
  }
  for (; i < cols; ++i) y[i] += dy[i] * (x[i] * scale);
}

// One head, rotated back: see rotary_head in rows.cc.
void rotary_backward_head(float* dx, const float* cosines, const float* sines, std::int64_t half) {
  const F32 d;
  std::int64_t i = 0;
  for (; i + kLanes <= half; i += kLanes) {
    const Vector a = hn::LoadU(d, dx + i), b = hn::LoadU(d, dx + half + i);
    const Vector c = hn::LoadU(d, cosines + i), s = hn::LoadU(d, sines + i);
    hn::StoreU(hn::Add(hn::Mul(a, c), hn::Mul(b, s)), d, dx + i);
    hn::StoreU(hn::Sub(hn::Mul(b, c), hn::Mul(a, s)), d, dx + half + i);
  }
  for (; i < half; ++i) {
    const float a = dx[i], b = dx[half + i];
    dx[i] = a * cosines[i] + b * sines[i];
    dx[half + i] = b * cosines[i] - a * sines[i];
  }
}

// d silu(g) / dg = σ(g) · (1 + g · σ(-g)), both without overflow from e^-|g|.
HWY_INLINE void silu_mul_backward_vector(const float* gate, const float* up, const float* dy,
                                         float* dgate, float* dup) {
  const F32 d;
  const Vector g = hn::LoadU(d, gate), u = hn::LoadU(d, up), dv = hn::LoadU(d, dy);
  const Vector one = hn::Set(d, 1.0f);
  const Vector e = exp_negative(hn::Neg(hn::Abs(g)));
  const Vector large = hn::Div(one, hn::Add(one, e));
  const Vector small = hn::Mul(e, large);
  const auto negative = hn::Lt(g, hn::Zero(d));
  const Vector sigmoid = hn::IfThenElse(negative, small, large);
  const Vector rest = hn::IfThenElse(negative, large, small);
  const Vector slope = hn::Mul(sigmoid, hn::MulAdd(g, rest, one));
  hn::StoreU(hn::Mul(hn::Mul(dv, u), slope), d, dgate);
  hn::StoreU(hn::Mul(dv, hn::Mul(g, sigmoid)), d, dup);
}

void silu_mul_backward_row(const float* gate, const float* up, const float* dy, std::int64_t cols,
                           float* dgate, float* dup) {
  std::int64_t i = 0;
  for (; i + kLanes <= cols; i += kLanes)
    silu_mul_backward_vector(gate + i, up + i, dy + i, dgate + i, dup + i);
  if (i == cols) return;
  const std::int64_t rest = cols - i;
  const Padded g(gate + i, rest), u(up + i, rest), dv(dy + i, rest);
  HWY_ALIGN float dg[kSumLanes], du[kSumLanes];
  silu_mul_backward_vector(g.values, u.values, dv.values, dg, du);
  std::copy(dg, dg + rest, dgate + i);
  std::copy(du, du + rest, dup + i);
}

void add_row(const float* x, std::int64_t cols, float* y) {
  const F32 d;
  std::int64_t i = 0;
  for (; i + kLanes <= cols; i += kLanes)
    hn::StoreU(hn::Add(hn::LoadU(d, y + i), hn::LoadU(d, x + i)), d, y + i);
  for (; i < cols; ++i) y[i] += x[i];
}

}  // namespace laurel::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace laurel::kernels {
namespace {

HWY_EXPORT(rms_norm_backward_row);
HWY_EXPORT(rms_scale);
HWY_EXPORT(add_scaled_product);
HWY_EXPORT(rotary_backward_head);
HWY_EXPORT(silu_mul_backward_row);
HWY_EXPORT(add_row);

void rms_norm_weight_gradient(ConstMatrix x, float eps, ConstMatrix dy, std::span<float> dweight,
                              ThreadPool& pool) {
  std::vector<float> scales(static_cast<std::size_t>(x.rows));
  const auto scale = LAUREL_DISPATCH(rms_scale);
  for_rows(x.rows, x.cols, pool, [&](std::int64_t r) {
    scales[static_cast<std::size_t>(r)] = scale(x.row(r), x.cols, eps);
  });
  const auto add_product = LAUREL_DISPATCH(add_scaled_product);
  for_columns(x.rows, x.cols, pool, [&](Range cols) {
    for (std::int64_t r = 0; r < x.rows; ++r) {
      add_product(dy.row(r) + cols.begin, x.row(r) + cols.begin,
                  scales[static_cast<std::size_t>(r)], cols.size(), dweight.data() + cols.begin);
    }
  });
}

}  // namespace

void linear_bias_gradient(ConstMatrix dy, std::span<float> db, ThreadPool& pool) {
  const OpTimer timer("linear db", [&] { return moved(dy.rows * dy.cols, 1); });
  const auto add_to = LAUREL_DISPATCH(add_row);
  for_columns(dy.rows, dy.cols, pool, [&](Range cols) {
    for (std::int64_t r = 0; r < dy.rows; ++r)
      add_to(dy.row(r) + cols.begin, cols.size(), db.data() + cols.begin);
  });
}

void rms_norm_backward(ConstMatrix x, const VectorParameter& weight, float eps, ConstMatrix dy,
                       Matrix dx, Accumulate accumulate, std::span<float> dweight,
                       ThreadPool& pool) {
  const OpTimer timer("rms_norm backward",
                      [&] { return moved(x.rows * x.cols, dweight.empty() ? 3 : 5); });
  // First, because dx may take dy's place.
  if (!dweight.empty()) rms_norm_weight_gradient(x, eps, dy, dweight, pool);
  const std::vector<float> values = load_vector(weight.data, weight.dtype, weight.size);
  const auto backward = LAUREL_DISPATCH(rms_norm_backward_row);
  for_rows(x.rows, x.cols, pool, [&](std::int64_t r) {
    backward(x.row(r), values.data(), eps, dy.row(r), x.cols, accumulate, dx.row(r));
  });
}

void rotary_backward(Matrix dx, std::int64_t num_heads, std::int64_t head_dim,
                     std::span<const std::int32_t> positions, const RotaryTable& table,
                     ThreadPool& pool) {
  const OpTimer timer("rotary backward", [&] { return moved(dx.rows * dx.cols, 2); });
  const auto rotate_back = LAUREL_DISPATCH(rotary_backward_head);
  for_rows(dx.rows, dx.cols, pool, [&](std::int64_t r) {
    const std::int64_t at = positions[static_cast<std::size_t>(r)] * table.half_dim;
    for (std::int64_t h = 0; h < num_heads; ++h) {
      rotate_back(dx.row(r) + h * head_dim, table.cosines.data() + at, table.sines.data() + at,
                  table.half_dim);
    }
  });
}

void silu_mul_backward(ConstMatrix gate, ConstMatrix up, ConstMatrix dy, Matrix dgate, Matrix dup,
                       ThreadPool& pool) {
  const OpTimer timer("silu_mul backward", [&] { return moved(dy.rows * dy.cols, 5); });
  const auto backward = LAUREL_DISPATCH(silu_mul_backward_row);
  for_rows(dy.rows, dy.cols, pool, [&](std::int64_t r) {
    backward(gate.row(r), up.row(r), dy.row(r), dy.cols, dgate.row(r), dup.row(r));
  });
}

void embedding_backward(std::span<const std::int32_t> ids, ConstMatrix dx, Matrix dtable,
                        ThreadPool& pool) {
  const OpTimer timer("embedding backward", [&] { return moved(dx.rows * dx.cols, 3); });
  scatter_add_rows(dx, ids, dtable, pool);
}

void scatter_add_rows(ConstMatrix x, std::span<const std::int32_t> rows, Matrix y,
                      ThreadPool& pool) {
  const OpTimer timer("scatter_add_rows", [&] { return moved(x.rows * x.cols, 3); });
  const auto add_to = LAUREL_DISPATCH(add_row);
  for_columns(x.rows, x.cols, pool, [&](Range cols) {
    for (std::int64_t r = 0; r < x.rows; ++r) {
      add_to(x.row(r) + cols.begin, cols.size(),
             y.row(rows[static_cast<std::size_t>(r)]) + cols.begin);
    }
  });
}

void add(ConstMatrix x, Matrix y, ThreadPool& pool) {
  const OpTimer timer("add", [&] { return moved(y.rows * y.cols, 3); });
  const auto add_to = LAUREL_DISPATCH(add_row);
  for_rows(y.rows, y.cols, pool, [&](std::int64_t r) { add_to(x.row(r), y.cols, y.row(r)); });
}

}  // namespace laurel::kernels
#endif
