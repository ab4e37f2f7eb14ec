#include "laurel/model/int8_weights.h"

#include <algorithm>

#include "laurel/base/error.h"

namespace laurel::model {

void check_int8_inputs(const ModelConfig& config) {
  const std::int64_t most =
      std::max({config.hidden_size, config.intermediate_size, config.num_heads * config.head_dim});
  if (most > kernels::kMaxInt8Inputs) {
    throw UserError("int8: expected linear layers of at most {} inputs, got {}; use f32 or bf16",
                    kernels::kMaxInt8Inputs, most);
  }
}

namespace {

kernels::Int8WeightMemory reserve(Int8Tensors& tensors, const kernels::Weight& weight) {
  const auto out = static_cast<std::size_t>(weight.out_features);
  const std::int64_t bytes = kernels::packed_int8_bytes(weight.out_features, weight.in_features);
  tensors.packed.resize(static_cast<std::size_t>(bytes));
  tensors.scales.resize(out);
  tensors.sums.resize(out);
  return {tensors.packed.data(), tensors.scales.data(), tensors.sums.data()};
}

kernels::Int8Weight view_of(const Int8Tensors& tensors) {
  if (tensors.packed.empty()) return {};
  return {tensors.packed.data(), tensors.scales.data(),  tensors.sums.data(),
          tensors.center.data(), tensors.offsets.data(), std::ssize(tensors.scales)};
}

}  // namespace

void quantize_linear(Linear& linear, const Int8Choice& choice, Int8Copies& copies,
                     ThreadPool& pool) {
  static const kernels::Int8Calibration kNone;
  const kernels::Int8Calibration& calibration = choice.calibration ? *choice.calibration : kNone;
  const kernels::Weight& weight = linear.weight;
  Int8Copy& copy = copies.emplace_back();
  copy.weight.center = calibration.center;
  copy.weight.center.resize(static_cast<std::size_t>(weight.in_features));
  copy.weight.offsets.resize(static_cast<std::size_t>(weight.out_features));
  kernels::Int8WeightMemory memory = reserve(copy.weight, weight);
  memory.offsets = copy.weight.offsets.data();
  kernels::Int8WeightMemory rest;
  if (choice.has_rest) rest = reserve(copy.rest, weight);
  kernels::quantize_weight(weight, calibration, memory, rest, pool);
  linear.int8 = view_of(copy.weight);
  linear.int8_rest = view_of(copy.rest);
  linear.int8_rest.offsets = nullptr;
  linear.weight = {};
}

const Int8Choice& choice_for(const Int8Plan& plan, const std::string& name) {
  static const Int8Choice kAllInt8;
  const auto found = plan.find(name);
  return found != plan.end() ? found->second : kAllInt8;
}

void quantize_layer(LayerWeights& layer, const Int8Plan& plan, Int8Copies& copies,
                    ThreadPool& pool) {
  for_each_linear(layer, [&](Linear& linear) {
    const Int8Choice& choice = choice_for(plan, linear.name);
    if (!choice.stays_float) quantize_linear(linear, choice, copies, pool);
  });
}

}  // namespace laurel::model
