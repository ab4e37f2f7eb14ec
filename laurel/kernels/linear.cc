// linear() and the gradient of its input, each one product.
#include <cstdint>
#include <vector>

#include "laurel/kernels/backward.h"
#include "laurel/kernels/gemm.h"
#include "laurel/kernels/ops.h"
#include "laurel/kernels/parameter.h"

namespace laurel::kernels {
namespace {

StoredMatrix stored(const Weight& weight) {
  return {weight.data, weight.dtype, weight.in_features};
}

Result result_of(Accumulate accumulate) {
  return accumulate == Accumulate::kYes ? Result::kAdd : Result::kReplace;
}

}  // namespace

void linear(ConstMatrix x, const Weight& weight, const VectorParameter& bias, Matrix y,
            Accumulate accumulate, ThreadPool& pool) {
  std::vector<float> bias_values;
  if (bias.data != nullptr) bias_values = load_vector(bias.data, bias.dtype, bias.size);
  multiply({.depth = weight.in_features,
            .a = x,
            .b = stored(weight),
            .b_layout = Layout::kTransposed,
            .bias = bias.data != nullptr ? bias_values.data() : nullptr,
            .c = y,
            .result = result_of(accumulate)},
           pool);
}

void linear_input_gradient(ConstMatrix dy, const Weight& weight, Matrix dx, Accumulate accumulate,
                           ThreadPool& pool) {
  multiply({.depth = weight.out_features,
            .a = dy,
            .b = stored(weight),
            .c = dx,
            .result = result_of(accumulate)},
           pool);
}

}  // namespace laurel::kernels
