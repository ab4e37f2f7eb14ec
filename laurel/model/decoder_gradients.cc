#include "laurel/model/decoder_gradients.h"

namespace laurel::model {
namespace {

std::span<float> as_span(const kernels::Matrix& matrix) {
  return {matrix.data, static_cast<std::size_t>(matrix.cols)};
}

}  // namespace

DecoderGradients assign_gradients(const ModelConfig& config, const FindGradient& find) {
  DecoderGradients gradients;
  gradients.embedding = find(std::string(kEmbeddingName) + ".weight");
  gradients.layers.resize(static_cast<std::size_t>(config.num_layers));
  for_each_role(
      gradients,
      [&](const std::string& name, std::span<float>& vector) {
        vector = as_span(find(name + ".weight"));
      },
      [&](const std::string& name, LinearGradient& linear) {
        linear.weight = find(name + ".weight");
        linear.bias = as_span(find(name + ".bias"));
        linear.lora_a = find(name + ".lora_A.weight");
        linear.lora_b = find(name + ".lora_B.weight");
      });
  return gradients;
}

}  // namespace laurel::model
