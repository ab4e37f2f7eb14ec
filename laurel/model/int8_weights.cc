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

void quantize_linear(Linear& linear, const Int8Choice& choice, Int8Copies& copies,
                     ThreadPool& pool) {
  static const kernels::Int8Feedback kNone;
  const kernels::Weight& weight = linear.weight;
  const std::int64_t out = weight.out_features;
  const auto bytes = static_cast<std::size_t>(kernels::packed_int8_bytes(out, weight.in_features));
  const kernels::Int8WeightMemory memory{
      copies.packed.emplace_back(bytes).data(),
      copies.scales.emplace_back(static_cast<std::size_t>(out)).data(),
      copies.sums.emplace_back(static_cast<std::size_t>(out)).data()};
  kernels::quantize_weight(weight, choice.feedback ? *choice.feedback : kNone, memory, pool);
  linear.int8 = {memory.packed, memory.scales, memory.sums, out};
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
