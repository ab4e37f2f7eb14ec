// Which weights make up for the rounding of another: linear algebra of blocks, in double.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "laurel/kernels/backward.h"
#include "laurel/kernels/int8.h"
#include "laurel/kernels/int8_kernels.h"
#include "laurel/kernels/partition.h"

namespace laurel::kernels {
namespace {

// A block's factors need this many rows of activations per input.
constexpr std::int64_t kRowsPerInput = 4;
constexpr double kDamping = 0.01;

// Turns the moments [size, size] of a block into its factors, in place. False if they are not those
// of finite numbers.
bool moments_to_factors(float* moments, std::int64_t size) {
  std::vector<double> m(moments, moments + size * size);
  const auto row = [&](std::int64_t i) { return m.data() + i * size; };
  double mean = 0;
  for (std::int64_t i = 0; i < size; ++i) mean += row(i)[i] / static_cast<double>(size);
  if (!std::isfinite(mean)) return false;
  const double least = std::max(kDamping * mean, std::numeric_limits<double>::min());
  for (std::int64_t i = 0; i < size; ++i) row(i)[i] += least;
  // m = U · D · Uᵀ from the last column on; U above the diagonal replaces m.
  std::vector<double> column(static_cast<std::size_t>(size));
  for (std::int64_t j = size - 1; j >= 0; --j) {
    const double pivot = std::max(row(j)[j], least);
    for (std::int64_t i = 0; i < j; ++i) column[static_cast<std::size_t>(i)] = row(i)[j];
    for (std::int64_t i = 0; i < j; ++i) {
      double* to = row(i);
      const double u = to[j] / pivot;
      for (std::int64_t k = i; k < j; ++k) to[k] -= u * column[static_cast<std::size_t>(k)];
      to[j] = u;
    }
  }
  // F = U⁻¹, row by row from the last on: F[i] = e_i - Σ_k U[i, k] F[k].
  std::vector<double> f(m.size(), 0.0);
  for (std::int64_t i = size - 1; i >= 0; --i) {
    double* to = f.data() + i * size;
    for (std::int64_t k = i + 1; k < size; ++k) {
      const double* from = f.data() + k * size;
      const double u = row(i)[k];
      for (std::int64_t j = k; j < size; ++j) to[j] -= u * from[j];
    }
    to[i] = 1;
  }
  for (std::int64_t i = 0; i < size; ++i) {
    for (std::int64_t j = 0; j < size; ++j)
      moments[i * size + j] =
          j > i ? static_cast<float>(f[static_cast<std::size_t>(i * size + j)]) : 0;
  }
  return true;
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

Int8Feedback int8_feedback(ConstMatrix x, ThreadPool& pool) {
  const std::vector<FeedbackBlock> blocks = feedback_blocks(x.cols);
  const auto num_blocks = static_cast<std::int64_t>(blocks.size());
  Int8Feedback feedback;
  if (blocks.empty() || x.rows < kRowsPerInput * ceil_div(x.cols, num_blocks)) return feedback;
  std::vector<float> memory(static_cast<std::size_t>(x.rows * x.cols));
  const Matrix rotated{memory.data(), x.rows, x.cols, x.cols};
  rotate_rows(x, rotated, pool);
  const FeedbackBlock& last = blocks.back();
  feedback.factors.assign(
      static_cast<std::size_t>(last.place + last.inputs.size() * last.inputs.size()), 0.0f);
  for (const FeedbackBlock& block : blocks) {
    const std::int64_t size = block.inputs.size();
    const ConstMatrix part{rotated.data + block.inputs.begin, x.rows, size, x.cols};
    const Matrix moments{feedback.factors.data() + block.place, size, size, size};
    linear_weight_gradient(part, part, moments, pool);
  }
  std::atomic<bool> ok = true;
  pool.parallel_for(num_blocks, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      const FeedbackBlock& block = blocks[static_cast<std::size_t>(i)];
      if (!moments_to_factors(feedback.factors.data() + block.place, block.inputs.size()))
        ok = false;
    }
  });
  if (!ok) feedback.factors.clear();
  return feedback;
}

}  // namespace laurel::kernels
