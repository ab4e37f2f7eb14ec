#include "laurel/model/weights.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <span>

#include "laurel/base/error.h"
#include "laurel/base/half.h"
#include "laurel/model/adapter.h"
#include "laurel/model/family.h"

namespace laurel::model {
namespace {

using Shape = std::vector<std::int64_t>;

bool is_float(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kBF16 || dtype == DType::kF16;
}

bool is_ignored(std::string_view name) {
  return name == "lm_head.weight" || name.ends_with("rotary_emb.inv_freq");
}

std::string layer_prefix(std::int64_t layer) { return fmt::format("model.layers.{}.", layer); }

void add_linear(std::vector<ExpectedTensor>& list, const std::string& name, std::int64_t out,
                std::int64_t in, bool bias) {
  list.push_back({name + ".weight", {out, in}});
  if (bias) list.push_back({name + ".bias", {out}});
}

std::string missing_text(const ExpectedTensor& expected, const ModelConfig& config,
                         const Adapter* adapter, std::string_view where) {
  std::string text = fmt::format("{}: tensor {}: missing, expected shape {}", where, expected.name,
                                 formats::shape_text(expected.shape));
  if (expected.name != "score.weight") return text;
  if (adapter != nullptr) return text + "; neither the base nor the adapter holds a score head";
  if (config.architecture.ends_with(kLanguageSuffix)) {
    return text +
           fmt::format("; {} is a language model, which has no score head", config.architecture);
  }
  return text;
}

}  // namespace

std::vector<ExpectedTensor> expected_tensors(const ModelConfig& config) {
  const std::int64_t hidden = config.hidden_size;
  const std::int64_t query = config.num_heads * config.head_dim;
  const std::int64_t kv = config.num_kv_heads * config.head_dim;
  std::vector<ExpectedTensor> list;
  list.push_back({"model.embed_tokens.weight", {config.vocab_size, hidden}});
  for (std::int64_t layer = 0; layer < config.num_layers; ++layer) {
    const std::string prefix = layer_prefix(layer);
    list.push_back({prefix + "input_layernorm.weight", {hidden}});
    add_linear(list, prefix + "self_attn.q_proj", query, hidden, config.qkv_bias);
    add_linear(list, prefix + "self_attn.k_proj", kv, hidden, config.qkv_bias);
    add_linear(list, prefix + "self_attn.v_proj", kv, hidden, config.qkv_bias);
    add_linear(list, prefix + "self_attn.o_proj", hidden, query, config.output_bias);
    list.push_back({prefix + "post_attention_layernorm.weight", {hidden}});
    add_linear(list, prefix + "mlp.gate_proj", config.intermediate_size, hidden, config.mlp_bias);
    add_linear(list, prefix + "mlp.up_proj", config.intermediate_size, hidden, config.mlp_bias);
    add_linear(list, prefix + "mlp.down_proj", hidden, config.intermediate_size, config.mlp_bias);
  }
  list.push_back({"model.norm.weight", {hidden}});
  list.push_back({"score.weight", {config.num_labels, hidden}});
  return list;
}

std::int64_t num_parameters(const ModelConfig& config) {
  std::int64_t total = 0;
  for (const ExpectedTensor& tensor : expected_tensors(config)) {
    std::int64_t count = 1;
    for (const std::int64_t size : tensor.shape) count *= size;
    total += count;
  }
  return total;
}

struct Weights::Impl {
  formats::TensorStore store;
  std::vector<std::vector<float>> merged;           // tensors that an adapter changed or brought
  std::vector<std::vector<std::uint16_t>> rounded;  // tensors rounded to bfloat16
  std::map<std::string, kernels::Weight, std::less<>> tensors;  // vectors have one row
  std::int64_t stored_bytes = 0;
  std::map<DType, std::int64_t> bytes_by_type;

  kernels::Weight embedding;
  std::vector<LayerWeights> layers;
  kernels::VectorParameter final_norm;
  Linear score;

  explicit Impl(formats::TensorStore checkpoint) : store(std::move(checkpoint)) {}

  void load(const ModelConfig& config, const Adapter* adapter, Precision precision,
            std::string_view where, ThreadPool& pool);
  void add(const ExpectedTensor& expected, const Adapter* adapter, Precision precision,
           const std::string& missing, ThreadPool& pool);
  void round_to_bf16(kernels::Weight& weight);
  void refuse_extras(const std::vector<ExpectedTensor>& expected, const Adapter* adapter) const;
  void assign_roles(const ModelConfig& config);

  const kernels::Weight& at(const std::string& name) const { return tensors.find(name)->second; }
  kernels::VectorParameter vector(const std::string& name) const {
    const auto found = tensors.find(name);
    if (found == tensors.end()) return {};
    return {found->second.data, found->second.dtype, found->second.in_features};
  }
  Linear linear(const std::string& name) const {
    return {at(name + ".weight"), vector(name + ".bias")};
  }
};

void Weights::Impl::load(const ModelConfig& config, const Adapter* adapter, Precision precision,
                         std::string_view where, ThreadPool& pool) {
  const std::vector<ExpectedTensor> expected = expected_tensors(config);
  for (const ExpectedTensor& tensor : expected) {
    add(tensor, adapter, precision, missing_text(tensor, config, adapter, where), pool);
  }
  refuse_extras(expected, adapter);
  assign_roles(config);
}

void Weights::Impl::add(const ExpectedTensor& expected, const Adapter* adapter, Precision precision,
                        const std::string& missing, ThreadPool& pool) {
  const formats::TensorView* view = store.find(expected.name);
  const LoraModule* lora = nullptr;
  bool from_adapter = false;
  if (adapter != nullptr) {
    if (const auto found = adapter->replaced.find(expected.name);
        found != adapter->replaced.end()) {
      view = found->second;
      from_adapter = true;
    }
    if (const auto found = adapter->modules.find(expected.name); found != adapter->modules.end()) {
      lora = &found->second;
    }
  }
  if (view == nullptr) throw UserError(missing);
  if (!is_float(view->dtype)) {
    throw UserError("{}: tensor {}: expected element type F32, BF16 or F16, got {}", view->file,
                    expected.name, dtype_name(view->dtype));
  }
  if (view->shape != expected.shape) {
    throw UserError("{}: tensor {}: wrong shape, expected {}, got {}", view->file, expected.name,
                    formats::shape_text(expected.shape), formats::shape_text(view->shape));
  }
  kernels::Weight weight{view->data.data(), view->dtype,
                         expected.shape.size() == 2 ? expected.shape[0] : 1, expected.shape.back()};
  stored_bytes += static_cast<std::int64_t>(view->data.size());
  bytes_by_type[view->dtype] += static_cast<std::int64_t>(view->data.size());
  if (lora != nullptr || from_adapter) {  // the adapter's own file is not kept open
    merged.push_back(lora != nullptr ? merge(*lora, *view, pool) : to_float(*view));
    weight.data = merged.back().data();
    weight.dtype = DType::kF32;
  }
  if (precision == Precision::kBF16 && weight.dtype != DType::kBF16) round_to_bf16(weight);
  tensors.emplace(expected.name, weight);
}

void Weights::Impl::round_to_bf16(kernels::Weight& weight) {
  const auto count = static_cast<std::size_t>(weight.out_features * weight.in_features);
  std::vector<std::uint16_t> copy(count);
  const auto* source = static_cast<const std::byte*>(weight.data);
  for (std::size_t i = 0; i < count; ++i) {
    float value;
    if (weight.dtype == DType::kF32) {
      std::memcpy(&value, source + 4 * i, 4);
    } else {
      std::uint16_t bits;
      std::memcpy(&bits, source + 2 * i, 2);
      value = f16_to_float(bits);
    }
    copy[i] = float_to_bf16(value);
  }
  rounded.push_back(std::move(copy));
  weight.data = rounded.back().data();
  weight.dtype = DType::kBF16;
}

void Weights::Impl::refuse_extras(const std::vector<ExpectedTensor>& expected,
                                  const Adapter* adapter) const {
  const auto is_expected = [&](std::string_view name) {
    return tensors.find(name) != tensors.end() || is_ignored(name);
  };
  for (const auto& [name, view] : store.tensors()) {
    if (!is_expected(name)) {
      throw UserError(
          "{}: tensor {}: unexpected, no tensor of this name among the {} of this architecture",
          view.file, name, expected.size());
    }
  }
  if (adapter == nullptr) return;
  for (const auto& [name, view] : adapter->replaced) {
    if (!is_expected(name))
      throw UserError("{}: tensor {}: the base has no such tensor", view->file, view->name);
  }
  for (const auto& [name, module] : adapter->modules) {
    if (!is_expected(name)) {
      throw UserError("{}: tensor {}: the base has no such module", module.a->file, module.a->name);
    }
  }
}

void Weights::Impl::assign_roles(const ModelConfig& config) {
  embedding = at("model.embed_tokens.weight");
  final_norm = vector("model.norm.weight");
  score = linear("score");
  layers.resize(static_cast<std::size_t>(config.num_layers));
  for (std::int64_t i = 0; i < config.num_layers; ++i) {
    const std::string prefix = layer_prefix(i);
    LayerWeights& layer = layers[static_cast<std::size_t>(i)];
    layer.input_norm = vector(prefix + "input_layernorm.weight");
    layer.q = linear(prefix + "self_attn.q_proj");
    layer.k = linear(prefix + "self_attn.k_proj");
    layer.v = linear(prefix + "self_attn.v_proj");
    layer.o = linear(prefix + "self_attn.o_proj");
    layer.post_attention_norm = vector(prefix + "post_attention_layernorm.weight");
    layer.gate = linear(prefix + "mlp.gate_proj");
    layer.up = linear(prefix + "mlp.up_proj");
    layer.down = linear(prefix + "mlp.down_proj");
  }
}

Weights::Weights(const ModelConfig& config, formats::TensorStore store, const Adapter* adapter,
                 Precision precision, std::string_view where, ThreadPool& pool)
    : impl_(std::make_unique<Impl>(std::move(store))) {
  impl_->load(config, adapter, precision, where, pool);
}

Weights::~Weights() = default;
Weights::Weights(Weights&&) noexcept = default;

const kernels::Weight& Weights::embedding() const { return impl_->embedding; }
const LayerWeights& Weights::layer(std::int64_t index) const {
  return impl_->layers[static_cast<std::size_t>(index)];
}
const kernels::VectorParameter& Weights::final_norm() const { return impl_->final_norm; }
const Linear& Weights::score() const { return impl_->score; }
std::int64_t Weights::stored_bytes() const { return impl_->stored_bytes; }

std::string Weights::dtype() const {
  const auto most =
      std::max_element(impl_->bytes_by_type.begin(), impl_->bytes_by_type.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  return std::string(dtype_name(most->first));
}

}  // namespace laurel::model
