// The tensors of a decoder by role, and which names in a checkpoint they have.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "laurel/formats/tensor_store.h"
#include "laurel/kernels/int8.h"
#include "laurel/kernels/ops.h"
#include "laurel/model/config.h"

namespace laurel::model {

// The tensors that a checkpoint of this shape holds, with their shapes. The head is "score.weight".
struct ExpectedTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  std::int64_t layer = -1;                    // -1 outside the layers
  std::optional<DType> dtype = std::nullopt;  // none: any that holds floats
  std::int64_t num_elements() const;
};
std::vector<ExpectedTensor> expected_tensors(const ModelConfig& config);

// Sum of the sizes of the expected tensors.
std::int64_t num_parameters(const ModelConfig& config);

// Throws UserError if the tensor's element type is not F32, BF16, F16 or, of a matrix, a block
// type; or, for the second, type or shape are not the expected ones.
void check_element_type(const formats::TensorView& tensor);
void check_tensor(const formats::TensorView& tensor, const ExpectedTensor& expected);

// Throws UserError naming the first tensor of the store that is not expected. rotary_emb.inv_freq
// and lm_head.weight are ignored.
bool is_ignored_tensor(std::string_view name);
void refuse_extra_tensors(const formats::TensorStore& store,
                          const std::vector<ExpectedTensor>& expected);

// The same roles hold weights, or their gradients.
template <typename Vector, typename LinearLayer>
struct LayerOf {
  Vector input_norm;
  LinearLayer q, k, v, o;
  Vector post_attention_norm;
  LinearLayer gate, up, down;
};

template <typename Table, typename Vector, typename LinearLayer>
struct DecoderOf {
  Table embedding;
  std::vector<LayerOf<Vector, LinearLayer>> layers;
  Vector final_norm;
  LinearLayer score;
};

// y += scale · (x · Aᵀ) · Bᵀ. a: [rank, in], b: [out, rank]; data is null where there is none.
struct Lora {
  kernels::Weight a, b;
  float scale = 0;
};

struct Linear {
  std::string name;               // its role, "model.layers.0.mlp.up_proj"
  kernels::Weight weight;         // data is null where the weight is int8
  kernels::Int8Weight int8;       // for inference; packed is null where it is not
  kernels::Int8Weight int8_rest;  // what int8 leaves, for fine rows; packed is null for none
  kernels::VectorParameter bias;  // data is null where there is none
  Lora lora;
};

using LayerWeights = LayerOf<kernels::VectorParameter, Linear>;
using DecoderWeights = DecoderOf<kernels::Weight, kernels::VectorParameter, Linear>;

// Calls on_vector(name, vector) and on_linear(name, linear) for every role of layer `index`, or of
// a decoder outside of the embedding, whose name is kEmbeddingName. Names have no ".weight".
inline constexpr std::string_view kEmbeddingName = "model.embed_tokens";
template <typename Vector, typename LinearLayer, typename OnVector, typename OnLinear>
void for_each_role_of_layer(LayerOf<Vector, LinearLayer>& layer, std::int64_t index,
                            const OnVector& on_vector, const OnLinear& on_linear) {
  const std::string prefix = "model.layers." + std::to_string(index) + ".";
  on_vector(prefix + "input_layernorm", layer.input_norm);
  on_linear(prefix + "self_attn.q_proj", layer.q);
  on_linear(prefix + "self_attn.k_proj", layer.k);
  on_linear(prefix + "self_attn.v_proj", layer.v);
  on_linear(prefix + "self_attn.o_proj", layer.o);
  on_vector(prefix + "post_attention_layernorm", layer.post_attention_norm);
  on_linear(prefix + "mlp.gate_proj", layer.gate);
  on_linear(prefix + "mlp.up_proj", layer.up);
  on_linear(prefix + "mlp.down_proj", layer.down);
}
template <typename Layer, typename OnLinear>
void for_each_linear(Layer& layer, const OnLinear& on_linear) {
  for (auto* linear : {&layer.q, &layer.k, &layer.v, &layer.o, &layer.gate, &layer.up, &layer.down})
    on_linear(*linear);
}
template <typename Table, typename Vector, typename LinearLayer, typename OnVector,
          typename OnLinear>
void for_each_role(DecoderOf<Table, Vector, LinearLayer>& decoder, const OnVector& on_vector,
                   const OnLinear& on_linear) {
  std::int64_t index = 0;
  for (LayerOf<Vector, LinearLayer>& layer : decoder.layers) {
    for_each_role_of_layer(layer, index++, on_vector, on_linear);
  }
  on_vector("model.norm", decoder.final_norm);
  on_linear("score", decoder.score);
}

// The weight of a full name ("model.norm.weight"; a vector has one row), or one with null data.
using FindWeight = std::function<kernels::Weight(const std::string& name)>;
DecoderWeights assign_roles(std::int64_t num_layers, const FindWeight& find);
LayerWeights assign_layer_roles(std::int64_t index, const FindWeight& find);

}  // namespace laurel::model
