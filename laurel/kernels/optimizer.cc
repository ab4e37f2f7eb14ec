#include "laurel/kernels/optimizer.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "laurel/kernels/loops.h"
#include "laurel/kernels/op_clock.h"
#include "laurel/kernels/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "laurel/kernels/optimizer.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "laurel/kernels/math-inl.h"

#ifndef LAUREL_KERNELS_OPTIMIZER_CC_
#define LAUREL_KERNELS_OPTIMIZER_CC_
namespace laurel::kernels {

// Factors of a step, computed in float64 and rounded once, as torch does.
struct AdamWFactors {
  float gradient_scale, decay, first_weight, beta2, second_weight, second_root, epsilon, step_size;

  explicit AdamWFactors(const AdamW& options) {
    const auto t = static_cast<double>(options.step);
    gradient_scale = static_cast<float>(options.gradient_scale);
    decay = static_cast<float>(1 - options.learning_rate * options.weight_decay);
    first_weight = static_cast<float>(1 - options.beta1);
    beta2 = static_cast<float>(options.beta2);
    second_weight = static_cast<float>(1 - options.beta2);
    second_root = static_cast<float>(std::sqrt(1 - std::pow(options.beta2, t)));
    epsilon = static_cast<float>(options.epsilon);
    step_size = static_cast<float>(options.learning_rate / (1 - std::pow(options.beta1, t)));
  }
};

}  // namespace laurel::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace laurel::kernels::HWY_NAMESPACE {

HWY_INLINE void adamw_vector(const AdamWFactors& f, const float* gradient, float* value,
                             float* first, float* second) {
  const F32 d;
  const Vector g = hn::Mul(hn::LoadU(d, gradient), hn::Set(d, f.gradient_scale));
  const Vector old = hn::LoadU(d, first);
  const Vector m = hn::MulAdd(hn::Set(d, f.first_weight), hn::Sub(g, old), old);
  const Vector decayed = hn::Mul(hn::LoadU(d, second), hn::Set(d, f.beta2));
  const Vector v = hn::MulAdd(hn::Mul(hn::Set(d, f.second_weight), g), g, decayed);
  const Vector root = hn::Div(hn::Sqrt(v), hn::Set(d, f.second_root));
  const Vector step =
      hn::Div(hn::Mul(hn::Set(d, f.step_size), m), hn::Add(root, hn::Set(d, f.epsilon)));
  const Vector kept = hn::Mul(hn::LoadU(d, value), hn::Set(d, f.decay));
  hn::StoreU(m, d, first);
  hn::StoreU(v, d, second);
  hn::StoreU(hn::Sub(kept, step), d, value);
}

void adamw_range(const AdamWFactors& factors, const float* gradient, std::int64_t count,
                 float* value, float* first, float* second) {
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    adamw_vector(factors, gradient + i, value + i, first + i, second + i);
  if (i == count) return;
  const std::int64_t rest = count - i;
  const Padded g(gradient + i, rest);
  Padded x(value + i, rest), m(first + i, rest), v(second + i, rest);
  adamw_vector(factors, g.values, x.values, m.values, v.values);
  std::copy_n(x.values, rest, value + i);
  std::copy_n(m.values, rest, first + i);
  std::copy_n(v.values, rest, second + i);
}

// Sums in 16 lanes of float64, element i in lane i mod 16. Squares of float32 are exact there, so
// that fused or not makes no difference.
using F64 = hn::ScalableTag<double>;
constexpr std::int64_t kDoubleLanes = HWY_LANES(double);

template <int kParts = static_cast<int>(kSumLanes / kDoubleLanes)>
struct SquareSums {
  SquareSums<kParts - 1> before;
  hn::Vec<F64> part;
};
template <>
struct SquareSums<0> {};

template <int kParts>
HWY_INLINE void clear_wide_sums(SquareSums<kParts>& sums) {
  if constexpr (kParts > 0) {
    clear_wide_sums(sums.before);
    sums.part = hn::Zero(F64());
  }
}

template <int kParts>
HWY_INLINE void add_wide_squares(SquareSums<kParts>& sums, const float* p) {
  if constexpr (kParts > 0) {
    add_wide_squares(sums.before, p);
    const hn::Rebind<float, F64> df;
    const auto x = hn::PromoteTo(F64(), hn::LoadU(df, p + (kParts - 1) * kDoubleLanes));
    sums.part = hn::MulAdd(x, x, sums.part);
  }
}

template <int kParts>
HWY_INLINE void store_wide_sums(const SquareSums<kParts>& sums, double* p) {
  if constexpr (kParts > 0) {
    store_wide_sums(sums.before, p);
    hn::StoreU(sums.part, F64(), p + (kParts - 1) * kDoubleLanes);
  }
}

double squares_of_range(const float* p, std::int64_t count) {
  SquareSums<> sums;
  clear_wide_sums(sums);
  std::int64_t i = 0;
  for (; i + kSumLanes <= count; i += kSumLanes) add_wide_squares(sums, p + i);
  if (i < count) add_wide_squares(sums, Padded(p + i, count - i).values);
  HWY_ALIGN double lanes[kSumLanes];
  store_wide_sums(sums, lanes);
  double total = 0;
  for (const double lane : lanes) total += lane;
  return total;
}

}  // namespace laurel::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace laurel::kernels {
namespace {

HWY_EXPORT(adamw_range);
HWY_EXPORT(squares_of_range);

}  // namespace

void adamw_step(std::span<float> value, std::span<const float> gradient, std::span<float> first,
                std::span<float> second, const AdamW& options, ThreadPool& pool) {
  const OpTimer timer("adamw_step",
                      [&] { return moved(static_cast<std::int64_t>(value.size()), 7); });
  const AdamWFactors factors(options);
  const auto update = LAUREL_DISPATCH(adamw_range);
  pool.parallel_for(static_cast<std::int64_t>(value.size()), kMinElementsPerThread,
                    [&](std::int64_t begin, std::int64_t end, int) {
                      update(factors, gradient.data() + begin, end - begin, value.data() + begin,
                             first.data() + begin, second.data() + begin);
                    });
}

double sum_of_squares(std::span<const float> values, ThreadPool& pool) {
  const auto count = static_cast<std::int64_t>(values.size());
  const OpTimer timer("sum_of_squares", [&] { return moved(count, 1); });
  std::vector<double> sums(static_cast<std::size_t>(ceil_div(count, kMinElementsPerThread)));
  const auto sum = LAUREL_DISPATCH(squares_of_range);
  pool.parallel_for(static_cast<std::int64_t>(sums.size()), 1,
                    [&](std::int64_t begin, std::int64_t end, int) {
                      for (std::int64_t i = begin; i < end; ++i) {
                        const std::int64_t at = i * kMinElementsPerThread;
                        sums[static_cast<std::size_t>(i)] =
                            sum(values.data() + at, std::min(kMinElementsPerThread, count - at));
                      }
                    });
  double total = 0;
  for (const double part : sums) total += part;
  return total;
}

}  // namespace laurel::kernels
#endif
