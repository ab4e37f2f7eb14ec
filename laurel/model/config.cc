#include "laurel/model/config.h"

#include <cmath>

#include "laurel/base/error.h"
#include "laurel/formats/gguf_convert.h"
#include "laurel/model/config_reader.h"
#include "laurel/model/family.h"
#include "laurel/model/rope.h"

namespace laurel::model {
namespace {

// Above any real model; keeps products of two sizes far from overflow.
constexpr std::int64_t kMaxSize = std::int64_t{1} << 24;
constexpr std::int64_t kMaxLayers = 4096;

[[noreturn]] void bad_key(const ConfigReader& reader, std::string_view key,
                          std::string_view problem) {
  throw UserError("{}: key \"{}\": {}", reader.where(), key, problem);
}

std::string read_architecture(const ConfigReader& reader) {
  const Json& json = reader.json();
  if (!json.is_object()) throw UserError("{}: expected a JSON object", reader.where());
  if (!reader.has("architectures")) bad_key(reader, "architectures", "missing");
  const Json& list = json["architectures"];
  if (!list.is_array() || list.size() != 1 || !list[0].is_string()) {
    bad_key(reader, "architectures", "expected a list with one name, got " + to_line(list));
  }
  return list[0].get<std::string>();
}

const Family& require_family(const ConfigReader& reader, const std::string& architecture) {
  if (const Family* family = find_family(architecture)) return *family;
  std::string known;
  for (const Family& family : families()) {
    known += fmt::format("{}{}{}", known.empty() ? "" : ", ", family.stem, kRewardSuffix);
  }
  throw UserError("{}: key \"architectures\": not supported, expected one of {}, got {}",
                  reader.where(), known, architecture);
}

// Whether the checkpoint is an int8 pack. Weights in GGUF's blocks say so themselves; no other
// quantized checkpoint can be read.
bool is_int8_pack(const ConfigReader& reader) {
  if (!reader.has("quantization_config")) return false;
  const Json& quantization = reader.json()["quantization_config"];
  const std::string where = reader.where() + ": quantization_config";
  std::optional<std::string> method;
  if (quantization.is_object()) method = get_string(quantization, "quant_method", where);
  const bool is_int8 = method == kInt8Method;
  if (!is_int8 && method != formats::kBlocksMethod) {
    bad_key(reader, "quantization_config",
            fmt::format("quantized checkpoints other than {} and {} are not supported", kInt8Method,
                        formats::kBlocksMethod));
  }
  const std::int64_t expected = is_int8 ? kInt8PackVersion : formats::kBlocksVersion;
  const std::optional<std::int64_t> version = get_int(quantization, "version", where);
  if (version != expected) {
    throw UserError("{}: key \"version\": expected {}, got {}; convert the model again", where,
                    expected, version ? std::to_string(*version) : "none");
  }
  return is_int8;
}

// As transformers: the length of id2label, else num_labels, else 2.
std::int64_t read_num_labels(const ConfigReader& reader) {
  if (reader.has("id2label")) {
    const Json& labels = reader.json()["id2label"];
    if (!labels.is_object()) bad_key(reader, "id2label", "expected an object");
    return static_cast<std::int64_t>(labels.size());
  }
  return reader.size_or("num_labels", 2, kMaxSize);
}

std::optional<std::int32_t> read_pad_token(const ConfigReader& reader) {
  const auto id = get_int(reader.json(), "pad_token_id", reader.where());
  if (!id) return std::nullopt;
  if (*id < INT32_MIN || *id > INT32_MAX) bad_key(reader, "pad_token_id", "out of range");
  return static_cast<std::int32_t>(*id);
}

void check_activation(const ConfigReader& reader) {
  const std::string activation = reader.text_or("hidden_act", "silu");
  if (activation != "silu" && activation != "swish") {
    bad_key(reader, "hidden_act", "not supported, expected silu, got " + activation);
  }
}

void read_heads(const ConfigReader& reader, ModelConfig& config) {
  config.num_heads = reader.size("num_attention_heads", kMaxSize);
  config.num_kv_heads = reader.size_or("num_key_value_heads", config.num_heads, kMaxSize);
  if (config.num_heads % config.num_kv_heads != 0) {
    bad_key(reader, "num_key_value_heads",
            fmt::format("expected a divisor of {} heads, got {}", config.num_heads,
                        config.num_kv_heads));
  }
  if (!reader.has("head_dim") && config.hidden_size % config.num_heads != 0) {
    bad_key(reader, "num_attention_heads",
            fmt::format("expected a divisor of hidden_size {}, got {}", config.hidden_size,
                        config.num_heads));
  }
  config.head_dim = reader.size_or("head_dim", config.hidden_size / config.num_heads, 4096);
  if (config.head_dim % 2 != 0) bad_key(reader, "head_dim", "expected an even number");
  if (config.num_heads * config.head_dim > kMaxSize)
    bad_key(reader, "num_attention_heads", "too large");
}

}  // namespace

std::int64_t ConfigReader::size(std::string_view key, std::int64_t limit) const {
  const auto value = get_int(json_, key, where_);
  if (!value) throw UserError("{}: key \"{}\": missing", where_, key);
  if (*value < 1 || *value > limit) {
    throw UserError("{}: key \"{}\": expected a number between 1 and {}, got {}", where_, key,
                    limit, *value);
  }
  return *value;
}

std::int64_t ConfigReader::size_or(std::string_view key, std::int64_t fallback,
                                   std::int64_t limit) const {
  return has(key) ? size(key, limit) : fallback;
}

double ConfigReader::number_or(std::string_view key, double fallback) const {
  return get_number(json_, key, where_).value_or(fallback);
}

bool ConfigReader::flag_or(std::string_view key, bool fallback) const {
  return get_bool(json_, key, where_).value_or(fallback);
}

std::string ConfigReader::text_or(std::string_view key, std::string fallback) const {
  return get_string(json_, key, where_).value_or(std::move(fallback));
}

bool ConfigReader::has(std::string_view key) const {
  const auto found = json_.find(std::string(key));
  return found != json_.end() && !found->is_null();
}

ModelConfig parse_config(const Json& json, std::string_view where) {
  const ConfigReader reader(json, where);
  ModelConfig config;
  config.architecture = read_architecture(reader);
  const Family& family = require_family(reader, config.architecture);
  config.family = family.name;
  config.int8_pack = is_int8_pack(reader);
  config.hidden_size = reader.size("hidden_size", kMaxSize);
  config.intermediate_size = reader.size("intermediate_size", kMaxSize);
  config.num_layers = reader.size("num_hidden_layers", kMaxLayers);
  config.vocab_size = reader.size("vocab_size", kMaxSize);
  config.max_positions = reader.size_or("max_position_embeddings", 2048, std::int64_t{1} << 40);
  read_heads(reader, config);
  if (config.architecture.ends_with(kRewardSuffix)) config.num_labels = read_num_labels(reader);
  if (config.num_labels != 1) {
    throw UserError("{}: expected one label (a reward), got {}; see id2label and num_labels", where,
                    config.num_labels);
  }
  config.rms_norm_eps = reader.number_or("rms_norm_eps", 1e-6);
  if (!(config.rms_norm_eps >= 0 && config.rms_norm_eps < 1)) {
    bad_key(reader, "rms_norm_eps", "expected a number between 0 and 1");
  }
  check_activation(reader);
  config.windows.assign(static_cast<std::size_t>(config.num_layers), 0);
  config.pad_token_id = read_pad_token(reader);
  config.dtype = reader.text_or("dtype", reader.text_or("torch_dtype", ""));
  config.rope = parse_rope(reader, config.head_dim, config.max_positions);
  family.configure(reader, config);
  return config;
}

ModelConfig read_config(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / "config.json";
  return parse_config(read_json_file(path), path.string());
}

}  // namespace laurel::model
