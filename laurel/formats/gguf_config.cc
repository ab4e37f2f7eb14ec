#include "laurel/formats/gguf_config.h"

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <vector>

#include "laurel/base/checked.h"
#include "laurel/base/error.h"
#include "laurel/base/stored_values.h"
#include "laurel/formats/tensor_store.h"

namespace laurel::formats {
namespace {

constexpr std::int64_t kMaxLayers = 1024;
constexpr double kDefaultRopeBase = 10000;
constexpr std::string_view kRopeFactors = "rope_freqs.weight";

std::string key_of(const GgufDecoder& decoder, std::string_view suffix) {
  return fmt::format("{}.{}", decoder.architecture, suffix);
}

// A size from the metadata: positive, small enough that products of two fit.
std::int64_t require_size(const GgufFile& gguf, const std::string& key,
                          std::optional<std::int64_t> fallback = {}) {
  const auto value = gguf.contains(key) ? gguf.find_int(key) : fallback;
  if (!value) throw UserError("{}: key {} is missing", gguf.name(), key);
  if (*value <= 0 || *value > std::numeric_limits<std::int32_t>::max()) {
    throw UserError("{}: key {}: expected a positive size, got {}", gguf.name(), key, *value);
  }
  return *value;
}

void refuse_features(const GgufFile& gguf, const GgufDecoder& decoder) {
  for (const char* suffix :
       {"expert_count", "attention.sliding_window", "rope.partial_rotary_factor"}) {
    const std::string key = key_of(decoder, suffix);
    if (gguf.contains(key) && gguf.find_int(key) != 0) {
      throw UserError("{}: key {}: not supported for architecture {}", gguf.name(), key,
                      decoder.architecture);
    }
  }
  if (gguf.find_int("split.count").value_or(1) > 1) {
    throw UserError(
        "{}: one of {} parts of a split model, expected a whole one; merge the parts first",
        gguf.name(), *gguf.find_int("split.count"));
  }
}

void check_heads(const GgufFile& gguf, GgufDecoder& decoder) {
  if (decoder.num_heads % decoder.num_key_value_heads != 0) {
    throw UserError("{}: {} heads cannot share {} key/value heads", gguf.name(), decoder.num_heads,
                    decoder.num_key_value_heads);
  }
  const std::string key_length = key_of(decoder, "attention.key_length");
  if (!gguf.contains(key_length) && decoder.hidden_size % decoder.num_heads != 0) {
    throw UserError("{}: hidden size {} is no multiple of {} heads", gguf.name(),
                    decoder.hidden_size, decoder.num_heads);
  }
  decoder.head_dim = require_size(gguf, key_length, decoder.hidden_size / decoder.num_heads);
  for (const char* suffix : {"attention.value_length", "rope.dimension_count"}) {
    const std::string key = key_of(decoder, suffix);
    if (require_size(gguf, key, decoder.head_dim) != decoder.head_dim) {
      throw UserError("{}: key {}: expected the head size {}, got {}", gguf.name(), key,
                      decoder.head_dim, *gguf.find_int(key));
    }
  }
  if (decoder.head_dim % 2 != 0)
    throw UserError("{}: odd head size {}", gguf.name(), decoder.head_dim);
}

// The shortest decimal number that is the same float32: 1e-05, not 9.999999747378752e-06.
double short_decimal(double value) {
  return std::stod(fmt::format("{}", static_cast<float>(value)));
}

double require_float(const GgufFile& gguf, const std::string& key,
                     std::optional<double> fallback = {}) {
  const auto value = gguf.contains(key) ? gguf.find_float(key) : fallback;
  if (!value) throw UserError("{}: key {} is missing", gguf.name(), key);
  if (!(*value > 0) || !std::isfinite(static_cast<float>(*value))) {
    throw UserError("{}: key {}: expected a positive number, got {}", gguf.name(), key, *value);
  }
  return short_decimal(*value);
}

// What Llama 3.1 and later scale their frequencies by: the divisor of each, from the four published
// parameters.
struct Llama3Scaling {
  double factor;
  double low = 1;
  double high = 4;
  double original_length = 8192;

  double divisor(double inverse_frequency) const {
    const double wavelength = 2 * M_PI / inverse_frequency;
    if (wavelength < original_length / high) return 1;
    if (wavelength > original_length / low) return factor;
    const double smooth = (original_length / wavelength - low) / (high - low);
    return 1 / ((1 - smooth) / factor + smooth);
  }
};

// The parameters are not in the file, only the divisors they gave. All published models of the kind
// differ in `factor` alone, which is the largest divisor; the rest is confirmed by computing the
// divisors again.
Json llama3_scaling(const GgufFile& gguf, const GgufDecoder& decoder, const GgufTensor& tensor,
                    double base) {
  const auto half = static_cast<std::size_t>(decoder.head_dim / 2);
  if (tensor.dtype != DType::kF32 ||
      tensor.shape != std::vector<std::int64_t>{decoder.head_dim / 2}) {
    throw UserError("{}: tensor {}: expected F32 [{}], got {} {}", gguf.name(), kRopeFactors, half,
                    dtype_name(tensor.dtype), shape_text(tensor.shape));
  }
  std::vector<float> divisors(half);
  values_of(tensor.dtype, tensor.data.data(), decoder.head_dim / 2, divisors.data());
  Llama3Scaling scaling{.factor = divisors.back()};
  for (std::size_t i = 0; i < half; ++i) {
    const double exponent = 2 * static_cast<double>(i) / static_cast<double>(decoder.head_dim);
    const double expected = scaling.divisor(std::pow(base, -exponent));
    if (!(std::abs(divisors[i] - expected) <= 1e-4 * expected)) {
      throw UserError(
          "{}: tensor {}: unknown frequency scaling, expected {} at {} (llama3 with factor {}), "
          "got {}",
          gguf.name(), kRopeFactors, expected, i, scaling.factor, divisors[i]);
    }
  }
  return {{"rope_type", "llama3"},
          {"factor", short_decimal(scaling.factor)},
          {"low_freq_factor", scaling.low},
          {"high_freq_factor", scaling.high},
          {"original_max_position_embeddings", static_cast<std::int64_t>(scaling.original_length)}};
}

Json yarn_scaling(const GgufFile& gguf, const GgufDecoder& decoder) {
  Json scaling = {{"rope_type", "yarn"},
                  {"factor", require_float(gguf, key_of(decoder, "rope.scaling.factor"))}};
  scaling["original_max_position_embeddings"] =
      require_size(gguf, key_of(decoder, "rope.scaling.original_context_length"));
  for (const char* suffix :
       {"attn_factor", "yarn_ext_factor", "yarn_attn_factor", "yarn_log_multiplier"}) {
    const std::string key = key_of(decoder, fmt::format("rope.scaling.{}", suffix));
    if (gguf.contains(key)) throw UserError("{}: key {}: not supported", gguf.name(), key);
  }
  for (const char* name : {"beta_fast", "beta_slow"}) {
    const std::string key = key_of(decoder, fmt::format("rope.scaling.yarn_{}", name));
    if (gguf.contains(key)) scaling[name] = require_float(gguf, key);
  }
  return scaling;
}

Json rope_scaling(const GgufFile& gguf, const GgufDecoder& decoder, double base) {
  const std::string type_key = key_of(decoder, "rope.scaling.type");
  const std::string old_key = key_of(decoder, "rope.scale_linear");
  const auto frequencies = gguf.tensors().find(kRopeFactors);
  const std::string_view type =
      gguf.find_string(type_key).value_or(gguf.contains(old_key) ? "linear" : "none");
  if (frequencies != gguf.tensors().end()) {
    if (type != "none")
      throw UserError("{}: both {} and {} are given", gguf.name(), kRopeFactors, type_key);
    return llama3_scaling(gguf, decoder, frequencies->second, base);
  }
  if (type == "none") return nullptr;
  if (type == "yarn") return yarn_scaling(gguf, decoder);
  if (type == "linear") {
    const std::string key =
        gguf.contains(old_key) ? old_key : key_of(decoder, "rope.scaling.factor");
    return {{"rope_type", "linear"}, {"factor", require_float(gguf, key)}};
  }
  throw UserError("{}: key {}: unsupported scaling, expected none, linear or yarn, got \"{}\"",
                  gguf.name(), type_key, type);
}

Json token_id(const GgufFile& gguf, std::string_view key) {
  const auto id = gguf.find_int(key);
  return id ? Json(*id) : Json();
}

// True if every layer has the tensor, false if none has.
bool all_layers_have(const GgufFile& gguf, const GgufDecoder& decoder, std::string_view suffix) {
  std::int64_t count = 0;
  for (std::int64_t layer = 0; layer < decoder.num_layers; ++layer) {
    count += gguf.tensors().contains(fmt::format("blk.{}.{}", layer, suffix)) ? 1 : 0;
  }
  if (count != 0 && count != decoder.num_layers) {
    throw UserError("{}: tensor blk.*.{}: expected in all of {} layers or in none, got {}",
                    gguf.name(), suffix, decoder.num_layers, count);
  }
  return count != 0;
}

}  // namespace

GgufDecoder read_gguf_decoder(const GgufFile& gguf) {
  GgufDecoder decoder;
  decoder.architecture = gguf.find_string("general.architecture").value_or("");
  if (decoder.architecture != "llama" && decoder.architecture != "qwen2") {
    throw UserError("{}: key general.architecture: expected llama or qwen2, got \"{}\"",
                    gguf.name(), decoder.architecture);
  }
  refuse_features(gguf, decoder);
  decoder.num_layers = require_size(gguf, key_of(decoder, "block_count"));
  if (decoder.num_layers > kMaxLayers) {
    throw UserError("{}: key {}: expected at most {} layers, got {}", gguf.name(),
                    key_of(decoder, "block_count"), kMaxLayers, decoder.num_layers);
  }
  decoder.hidden_size = require_size(gguf, key_of(decoder, "embedding_length"));
  decoder.intermediate_size = require_size(gguf, key_of(decoder, "feed_forward_length"));
  decoder.max_length = require_size(gguf, key_of(decoder, "context_length"));
  decoder.num_heads = require_size(gguf, key_of(decoder, "attention.head_count"));
  decoder.num_key_value_heads =
      require_size(gguf, key_of(decoder, "attention.head_count_kv"), decoder.num_heads);
  check_heads(gguf, decoder);
  const auto embedding = gguf.tensors().find("token_embd.weight");
  if (embedding == gguf.tensors().end() || embedding->second.shape.size() != 2) {
    throw UserError("{}: tensor token_embd.weight: missing or not a matrix", gguf.name());
  }
  decoder.vocab_size = embedding->second.shape[0];
  decoder.qkv_bias = all_layers_have(gguf, decoder, "attn_q.bias");
  decoder.output_bias = all_layers_have(gguf, decoder, "attn_output.bias");
  decoder.mlp_bias = all_layers_have(gguf, decoder, "ffn_gate.bias");
  decoder.tied_embeddings = !gguf.tensors().contains("output.weight");
  if (decoder.output_bias != (decoder.is_llama() && decoder.qkv_bias) ||
      (!decoder.is_llama() && !decoder.qkv_bias)) {
    throw UserError("{}: attention biases do not fit architecture {}, expected {}", gguf.name(),
                    decoder.architecture,
                    decoder.is_llama() ? "all of q, k, v, output or none" : "q, k and v");
  }
  if (decoder.mlp_bias && !decoder.is_llama())
    throw UserError("{}: qwen2 has no feed-forward bias", gguf.name());
  return decoder;
}

Json make_config(const GgufFile& gguf, const GgufDecoder& decoder, std::string_view dtype_name) {
  const double rope_base = require_float(gguf, key_of(decoder, "rope.freq_base"), kDefaultRopeBase);
  Json config = {
      {"architectures",
       Json::array({decoder.is_llama() ? "LlamaForCausalLM" : "Qwen2ForCausalLM"})},
      {"model_type", decoder.architecture},
      {"hidden_size", decoder.hidden_size},
      {"intermediate_size", decoder.intermediate_size},
      {"num_hidden_layers", decoder.num_layers},
      {"num_attention_heads", decoder.num_heads},
      {"num_key_value_heads", decoder.num_key_value_heads},
      {"head_dim", decoder.head_dim},
      {"hidden_act", "silu"},
      {"max_position_embeddings", decoder.max_length},
      {"rms_norm_eps", require_float(gguf, key_of(decoder, "attention.layer_norm_rms_epsilon"))},
      {"rope_theta", rope_base},
      {"rope_scaling", rope_scaling(gguf, decoder, rope_base)},
      {"vocab_size", decoder.vocab_size},
      {"attention_dropout", 0.0},
      {"initializer_range", 0.02},
      {"tie_word_embeddings", decoder.tied_embeddings},
      {"use_cache", true},
      {"bos_token_id", token_id(gguf, "tokenizer.ggml.bos_token_id")},
      {"eos_token_id", token_id(gguf, "tokenizer.ggml.eos_token_id")},
      {"pad_token_id", token_id(gguf, "tokenizer.ggml.padding_token_id")},
      {"torch_dtype", dtype_name},
  };
  if (decoder.is_llama()) {
    config["attention_bias"] = decoder.qkv_bias;
    config["mlp_bias"] = decoder.mlp_bias;
  } else {
    config["use_sliding_window"] = false;
    config["sliding_window"] = nullptr;
    config["max_window_layers"] = decoder.num_layers;
  }
  return config;
}

Json make_generation_config(const GgufFile& gguf) {
  Json config = {{"_from_model_config", true}};
  for (const auto& [name, key] : {std::pair{"bos_token_id", "tokenizer.ggml.bos_token_id"},
                                  std::pair{"eos_token_id", "tokenizer.ggml.eos_token_id"},
                                  std::pair{"pad_token_id", "tokenizer.ggml.padding_token_id"}}) {
    if (gguf.contains(key)) config[name] = token_id(gguf, key);
  }
  return config;
}

}  // namespace laurel::formats
