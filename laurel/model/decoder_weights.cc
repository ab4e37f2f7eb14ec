#include "laurel/model/decoder_weights.h"

#include <set>

#include "laurel/base/error.h"
#include "laurel/base/stored_values.h"

namespace laurel::model {
namespace {

void add_linear(std::vector<ExpectedTensor>& list, const std::string& name, std::int64_t out,
                std::int64_t in, bool bias, std::int64_t layer) {
  list.push_back({name + ".weight", {out, in}, layer});
  if (bias) list.push_back({name + ".bias", {out}, layer});
}

kernels::VectorParameter as_vector(const kernels::Weight& weight) {
  return {weight.data, weight.dtype, weight.in_features};
}

struct AssignVector {
  const FindWeight& find;
  void operator()(const std::string& name, kernels::VectorParameter& vector) const {
    vector = as_vector(find(name + ".weight"));
  }
};

struct AssignLinear {
  const FindWeight& find;
  void operator()(const std::string& name, Linear& linear) const {
    linear.name = name;
    linear.weight = find(name + ".weight");
    linear.bias = as_vector(find(name + ".bias"));
    linear.lora.a = find(name + ".lora_A.weight");
    linear.lora.b = find(name + ".lora_B.weight");
  }
};

}  // namespace

std::int64_t ExpectedTensor::num_elements() const {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  return count;
}

std::vector<ExpectedTensor> expected_tensors(const ModelConfig& config) {
  const std::int64_t hidden = config.hidden_size;
  const std::int64_t intermediate = config.intermediate_size;
  const std::int64_t query = config.num_heads * config.head_dim;
  const std::int64_t kv = config.num_kv_heads * config.head_dim;
  std::vector<ExpectedTensor> list;
  list.push_back({"model.embed_tokens.weight", {config.vocab_size, hidden}});
  for (std::int64_t i = 0; i < config.num_layers; ++i) {
    const std::string prefix = fmt::format("model.layers.{}.", i);
    list.push_back({prefix + "input_layernorm.weight", {hidden}, i});
    add_linear(list, prefix + "self_attn.q_proj", query, hidden, config.qkv_bias, i);
    add_linear(list, prefix + "self_attn.k_proj", kv, hidden, config.qkv_bias, i);
    add_linear(list, prefix + "self_attn.v_proj", kv, hidden, config.qkv_bias, i);
    add_linear(list, prefix + "self_attn.o_proj", hidden, query, config.output_bias, i);
    list.push_back({prefix + "post_attention_layernorm.weight", {hidden}, i});
    add_linear(list, prefix + "mlp.gate_proj", intermediate, hidden, config.mlp_bias, i);
    add_linear(list, prefix + "mlp.up_proj", intermediate, hidden, config.mlp_bias, i);
    add_linear(list, prefix + "mlp.down_proj", hidden, intermediate, config.mlp_bias, i);
  }
  list.push_back({"model.norm.weight", {hidden}});
  list.push_back({"score.weight", {config.num_labels, hidden}});
  return list;
}

std::int64_t num_parameters(const ModelConfig& config) {
  std::int64_t total = 0;
  for (const ExpectedTensor& tensor : expected_tensors(config)) total += tensor.num_elements();
  return total;
}

void check_element_type(const formats::TensorView& tensor) {
  if (!holds_floats(tensor.dtype) || (is_quantized(tensor.dtype) && tensor.shape.size() != 2)) {
    throw UserError("{}: tensor {}: expected element type F32, BF16 or F16, got {}", tensor.file,
                    tensor.name, dtype_name(tensor.dtype));
  }
}

void check_tensor(const formats::TensorView& tensor, const ExpectedTensor& expected) {
  if (!expected.dtype) {
    check_element_type(tensor);
  } else if (tensor.dtype != *expected.dtype) {
    throw UserError("{}: tensor {}: expected element type {}, got {}", tensor.file, tensor.name,
                    dtype_name(*expected.dtype), dtype_name(tensor.dtype));
  }
  if (tensor.shape != expected.shape) {
    throw UserError("{}: tensor {}: wrong shape, expected {}, got {}", tensor.file, expected.name,
                    formats::shape_text(expected.shape), formats::shape_text(tensor.shape));
  }
}

bool is_ignored_tensor(std::string_view name) {
  return name == "lm_head.weight" || name.ends_with("rotary_emb.inv_freq");
}

void refuse_extra_tensors(const formats::TensorStore& store,
                          const std::vector<ExpectedTensor>& expected) {
  std::set<std::string_view> names;
  for (const ExpectedTensor& tensor : expected) names.insert(tensor.name);
  for (const auto& [name, view] : store.tensors()) {
    if (names.contains(name) || is_ignored_tensor(name)) continue;
    throw UserError(
        "{}: tensor {}: unexpected, no tensor of this name among the {} of this architecture",
        view.file, name, expected.size());
  }
}

DecoderWeights assign_roles(std::int64_t num_layers, const FindWeight& find) {
  DecoderWeights decoder;
  decoder.embedding = find(std::string(kEmbeddingName) + ".weight");
  decoder.layers.resize(static_cast<std::size_t>(num_layers));
  for_each_role(decoder, AssignVector{find}, AssignLinear{find});
  return decoder;
}

LayerWeights assign_layer_roles(std::int64_t index, const FindWeight& find) {
  LayerWeights layer;
  for_each_role_of_layer(layer, index, AssignVector{find}, AssignLinear{find});
  return layer;
}

}  // namespace laurel::model
