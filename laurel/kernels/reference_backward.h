// The specification of the ops of kernels/backward.h and kernels/optimizer.h: plain loops in
// float64, as reference.h for those of ops.h. Each returns the result densely, row-major; inputs
// are not changed. `old` is what the result is added to.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "laurel/kernels/ops.h"
#include "laurel/kernels/optimizer.h"

namespace laurel::kernels::reference {

std::vector<double> linear_input_gradient(ConstMatrix dy, const Weight& weight, ConstMatrix old,
                                          Accumulate accumulate);
std::vector<double> linear_weight_gradient(ConstMatrix dy, ConstMatrix x, ConstMatrix old);
std::vector<double> linear_bias_gradient(ConstMatrix dy, std::span<const float> old);

struct NormGradients {
  std::vector<double> dx, dweight;
};
// old_dweight may be empty, and dweight then is.
NormGradients rms_norm_backward(ConstMatrix x, const VectorParameter& weight, float eps,
                                ConstMatrix dy, ConstMatrix old, Accumulate accumulate,
                                std::span<const float> old_dweight);

std::vector<double> rotary_backward(ConstMatrix dx, std::int64_t num_heads, std::int64_t head_dim,
                                    std::span<const std::int32_t> positions,
                                    const RotaryTable& table);

struct SiluMulGradients {
  std::vector<double> dgate, dup;
};
SiluMulGradients silu_mul_backward(ConstMatrix gate, ConstMatrix up, ConstMatrix dy);

// Also embedding_backward.
std::vector<double> scatter_add_rows(ConstMatrix x, std::span<const std::int32_t> rows,
                                     ConstMatrix old);
std::vector<double> add(ConstMatrix x, ConstMatrix old);

struct AdamWState {
  double value, first, second;
};
// One element's step.
AdamWState adamw_step(const AdamWState& old, double gradient, const AdamW& options);

}  // namespace laurel::kernels::reference
