// linear() and the gradient of its input, each one product.
#include <cstdint>
#include <vector>

#include "laurel/kernels/backward.h"
#include "laurel/kernels/gemm.h"
#include "laurel/kernels/op_clock.h"
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

// Reads x and W once, writes y, and reads it where it is added to.
OpWork product_work(std::int64_t rows, const Weight& weight, Accumulate accumulate) {
  const auto in = static_cast<double>(weight.in_features);
  const auto out = static_cast<double>(weight.out_features);
  const auto m = static_cast<double>(rows);
  const auto weight_bytes =
      static_cast<double>(dtype_bytes(weight.dtype, weight.in_features * weight.out_features));
  const double passes = accumulate == Accumulate::kYes ? 2 : 1;
  return {2 * m * in * out, 4 * m * (in + passes * out) + weight_bytes, weight.in_features,
          weight.out_features};
}

}  // namespace

void linear(ConstMatrix x, const Weight& weight, const VectorParameter& bias, Matrix y,
            Accumulate accumulate, ThreadPool& pool) {
  const OpTimer timer("linear", [&] { return product_work(x.rows, weight, accumulate); });
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
  const OpTimer timer("linear dx", [&] { return product_work(dy.rows, weight, accumulate); });
  multiply({.depth = weight.out_features,
            .a = dy,
            .b = stored(weight),
            .c = dx,
            .result = result_of(accumulate)},
           pool);
}

}  // namespace laurel::kernels
