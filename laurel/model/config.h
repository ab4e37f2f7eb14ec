// The shape of a decoder reward model, from config.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "laurel/base/json.h"

namespace laurel::model {

enum class RopeType { kDefault, kLinear, kLlama3, kYarn };

// Rotary embedding; the formulas are in rope.h.
struct RopeConfig {
  RopeType type = RopeType::kDefault;
  double theta = 10000;
  std::int64_t rotary_dim = 0;  // elements of a head that are rotated, from its start
  double factor = 1;
  double low_freq_factor = 1;         // llama3
  double high_freq_factor = 4;        // llama3
  double original_max_positions = 0;  // llama3, yarn
  double beta_fast = 32;              // yarn
  double beta_slow = 1;               // yarn
  bool truncate = true;               // yarn
  double attention_scaling = 1;       // multiplies cosines and sines
};

struct ModelConfig {
  std::string architecture;  // as written: "LlamaForSequenceClassification", "LlamaForCausalLM", …
  std::string family;        // "llama", "qwen2": the row of the family table (family.h)
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t num_layers = 0;
  std::int64_t num_heads = 0;
  std::int64_t num_kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t vocab_size = 0;
  std::int64_t max_positions = 0;  // max_position_embeddings: informative
  std::int64_t num_labels = 1;
  double rms_norm_eps = 1e-6;
  bool qkv_bias = false;
  bool output_bias = false;  // of the attention's output projection
  bool mlp_bias = false;
  std::vector<std::int64_t> windows;  // [num_layers] sliding window in tokens, 0 for none
  RopeConfig rope;
  std::optional<std::int32_t> pad_token_id;
  std::string dtype;       // torch_dtype as written, for reports; empty if absent
  bool int8_pack = false;  // linear layers are stored as int8 (int8_pack.h)
};

// How config.json marks a checkpoint whose linear layers are stored as int8 (int8_pack.h).
inline constexpr std::string_view kInt8Method = "laurel-int8";
inline constexpr std::int64_t kInt8PackVersion = 4;

// Parses config.json. Throws UserError naming the key for what is missing, out of range or not
// supported, and for an architecture that is not in the family table. A language model's config
// ("…ForCausalLM") is accepted, since an adapter may bring the score head; without one, loading the
// weights refuses it.
ModelConfig parse_config(const Json& json, std::string_view where = "config.json");
ModelConfig read_config(const std::filesystem::path& directory);

}  // namespace laurel::model
