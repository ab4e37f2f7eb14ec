// Optimizer arithmetic over flat arrays: one pass at memory bandwidth each, bits independent of the
// number of threads.
#pragma once

#include <cstdint>
#include <span>

#include "laurel/base/thread_pool.h"

namespace laurel::kernels {

// One step of AdamW with decoupled weight decay, as torch.optim.AdamW computes it (Loshchilov and
// Hutter, arXiv 1711.05101): with g = gradient · gradient_scale and t = step,
//   value  *= 1 - learning_rate · weight_decay
//   first  += (1 - beta1) · (g - first)
//   second  = beta2 · second + (1 - beta2) · g²
//   value  -= learning_rate / (1 - beta1^t) · first / (sqrt(second) / sqrt(1 - beta2^t) + epsilon)
struct AdamW {
  double learning_rate = 0;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-5;
  double weight_decay = 0;
  std::int64_t step = 1;      // from 1
  double gradient_scale = 1;  // e.g. of clipping
};

// All four spans have the same size. first and second: moments, zero before the first step.
void adamw_step(std::span<float> value, std::span<const float> gradient, std::span<float> first,
                std::span<float> second, const AdamW& options, ThreadPool& pool);

// Sum of squares in float64, in an order that only the size determines. Infinite or NaN elements
// make it so.
double sum_of_squares(std::span<const float> values, ThreadPool& pool);

}  // namespace laurel::kernels
