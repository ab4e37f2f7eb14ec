// What a text tells of the inputs of a linear layer: their center, and which weights make up for
// the rounding of another.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "laurel/kernels/backward.h"
#include "laurel/kernels/int8.h"
#include "laurel/kernels/int8_kernels.h"
#include "laurel/kernels/loops.h"
#include "laurel/kernels/partition.h"
#include "laurel/kernels/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "laurel/kernels/int8_calibration.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace laurel::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// y[k] -= Σ_p u[p] · rows[p, k], in the order of p and without fused multiply-adds. rows: `stride`
// apart.
void subtract_products(const float* u, std::int64_t count, const float* rows, std::int64_t stride,
                       float* y, std::int64_t size) {
  const hn::ScalableTag<float> d;
  constexpr std::int64_t kLanes = HWY_LANES(float);
  std::int64_t k = 0;
  for (; k + kLanes <= size; k += kLanes) {
    auto v = hn::LoadU(d, y + k);
    for (std::int64_t p = 0; p < count; ++p)
      v = hn::Sub(v, hn::Mul(hn::Set(d, u[p]), hn::LoadU(d, rows + p * stride + k)));
    hn::StoreU(v, d, y + k);
  }
  for (; k < size; ++k) {
    for (std::int64_t p = 0; p < count; ++p) y[k] -= u[p] * rows[p * stride + k];
  }
}

}  // namespace laurel::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace laurel::kernels {
namespace {

HWY_EXPORT(subtract_products);

constexpr std::int64_t kMinRows = 16;
constexpr float kDamping = 0.2f;
constexpr std::int64_t kPanelColumns = 32;

// Σ_r x[r] / |x[r]|² over Σ_r 1 / |x[r]|²: what makes the mean of |x[r] - c|² / |x[r]|² least.
// Empty if values are not finite.
std::vector<float> center_of(ConstMatrix x) {
  std::vector<double> sum(static_cast<std::size_t>(x.cols));
  double total = 0;
  for (std::int64_t r = 0; r < x.rows; ++r) {
    const float* row = x.row(r);
    double size = 0;
    for (std::int64_t k = 0; k < x.cols; ++k) size += double{row[k]} * double{row[k]};
    if (!std::isfinite(size)) return {};
    if (size == 0) continue;
    for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += double{row[k]} / size;
    total += 1 / size;
  }
  if (!std::isfinite(total)) return {};
  std::vector<float> center(sum.size());
  for (std::size_t k = 0; k < sum.size() && total > 0; ++k)
    center[k] = static_cast<float>(sum[k] / total);
  return center;
}

// M = U · D · Uᵀ for a matrix M [size, size] of which the upper triangle is read: that of U
// replaces it, and what is left of it becomes 0. Column by column from the last on, kPanelColumns
// of them before the rest of M follows.
class Factorization {
 public:
  Factorization(float* matrix, std::int64_t size, float least, ThreadPool& pool)
      : matrix_(matrix), size_(size), least_(least), pool_(pool) {}

  void run() {
    const auto subtract = LAUREL_DISPATCH(subtract_products);
    std::vector<float> scaled(static_cast<std::size_t>(kPanelColumns * size_));
    for (std::int64_t end = size_; end > 0;) {
      const std::int64_t begin = std::max<std::int64_t>(0, end - kPanelColumns);
      for (std::int64_t j = end - 1; j >= begin; --j)
        eliminate(j, begin, scaled.data() + (j - begin) * size_);
      for_rows(begin, size_ * kPanelColumns / 2, pool_, [&](std::int64_t i) {
        subtract(row(i) + begin, end - begin, scaled.data() + i, size_, row(i) + i, begin - i);
      });
      end = begin;
    }
    for (std::int64_t i = 0; i < size_; ++i) std::fill_n(row(i), i + 1, 0.0f);
  }

 private:
  float* row(std::int64_t i) { return matrix_ + i * size_; }

  // Divides column j by its pivot and takes it from columns [first, j); scaled[i] = M[i, j] of the
  // rows i < j, for the others.
  void eliminate(std::int64_t j, std::int64_t first, float* scaled) {
    const float pivot = std::max(row(j)[j], least_);
    for (std::int64_t i = 0; i < j; ++i) {
      scaled[i] = row(i)[j];
      row(i)[j] /= pivot;
    }
    for (std::int64_t i = 0; i < j; ++i) {
      float* to = row(i);
      for (std::int64_t k = std::max(i, first); k < j; ++k) to[k] -= to[j] * scaled[k];
    }
  }

  float* matrix_;
  std::int64_t size_;
  float least_;
  ThreadPool& pool_;
};

// Turns the moments [size, size] of a block into its factors, in place. False if they are not those
// of finite numbers.
bool moments_to_factors(float* moments, std::int64_t size, ThreadPool& pool) {
  double mean = 0;
  for (std::int64_t i = 0; i < size; ++i)
    mean += double{moments[i * size + i]} / static_cast<double>(size);
  if (!(mean <= double{std::numeric_limits<float>::max()})) return false;
  const float least =
      std::max(kDamping * static_cast<float>(mean), std::numeric_limits<float>::min());
  for (std::int64_t i = 0; i < size; ++i) moments[i * size + i] += least;
  Factorization(moments, size, least, pool).run();
  return true;
}

// Block after block; empty if values are not finite.
std::vector<float> factors_of(ConstMatrix x, std::span<const float> weights,
                              const std::vector<float>& center, ThreadPool& pool) {
  const std::vector<FeedbackBlock> blocks = feedback_blocks(x.cols);
  if (blocks.empty()) return {};
  std::vector<float> memory(static_cast<std::size_t>(x.rows * x.cols));
  const Matrix rotated{memory.data(), x.rows, x.cols, x.cols};
  rotate_rows(x, center, rotated, pool);
  for (std::int64_t r = 0; r < x.rows; ++r) {
    const float root = std::sqrt(weights[static_cast<std::size_t>(r)]);
    for (std::int64_t k = 0; k < x.cols; ++k) rotated.row(r)[k] *= root;
  }
  const FeedbackBlock& last = blocks.back();
  std::vector<float> factors(
      static_cast<std::size_t>(last.place + last.inputs.size() * last.inputs.size()));
  for (const FeedbackBlock& block : blocks) {
    const std::int64_t size = block.inputs.size();
    const ConstMatrix part{rotated.data + block.inputs.begin, x.rows, size, x.cols};
    const Matrix moments{factors.data() + block.place, size, size, size};
    linear_weight_gradient(part, part, moments, pool);
    if (!moments_to_factors(moments.data, size, pool)) return {};
  }
  return factors;
}

}  // namespace

std::vector<FeedbackBlock> feedback_blocks(std::int64_t num_inputs) {
  const std::int64_t count = ceil_div(num_inputs, kFeedbackBlock);
  std::vector<FeedbackBlock> blocks;
  std::int64_t place = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    blocks.push_back({part_of(num_inputs, count, i), place});
    place += blocks.back().inputs.size() * blocks.back().inputs.size();
  }
  return blocks;
}

Int8Calibration int8_calibration(ConstMatrix x, std::span<const float> weights, ThreadPool& pool) {
  Int8Calibration calibration;
  if (x.rows < kMinRows) return calibration;
  calibration.center = center_of(x);
  calibration.factors = factors_of(x, weights, calibration.center, pool);
  return calibration;
}

}  // namespace laurel::kernels
#endif
