// The gradients of a decoder's tensors by role. What is not trained has none: null data.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "laurel/kernels/ops.h"
#include "laurel/model/decoder_weights.h"

namespace laurel::model {

struct LinearGradient {
  kernels::Matrix weight;
  std::span<float> bias;
  kernels::Matrix lora_a, lora_b;
};

using LayerGradients = LayerOf<std::span<float>, LinearGradient>;
using DecoderGradients = DecoderOf<kernels::Matrix, std::span<float>, LinearGradient>;

// The gradient of a full name (a vector has one row), or one with null data.
using FindGradient = std::function<kernels::Matrix(const std::string& name)>;
DecoderGradients assign_gradients(const ModelConfig& config, const FindGradient& find);

}  // namespace laurel::model
