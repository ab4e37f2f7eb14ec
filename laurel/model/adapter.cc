#include "laurel/model/adapter.h"

#include <cmath>
#include <cstring>
#include <optional>
#include <span>

#include "laurel/base/error.h"
#include "laurel/base/json.h"
#include "laurel/base/stored_values.h"
#include "laurel/model/decoder_weights.h"

namespace laurel::model {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "base_model.model.";

// Settings of other methods than plain LoRA or DoRA: on any of them the merge would be wrong.
constexpr const char* kUnsupportedKeys[] = {
    "use_qalora",        "use_bdlora",        "layer_replication",       "trainable_token_indices",
    "target_parameters", "lora_bias",         "alora_invocation_tokens", "arrow_config",
    "velora_config",     "monteclora_config", "fan_in_fan_out"};
// Initializations that change the base weights too.
constexpr const char* kUnsupportedInits[] = {"pissa", "olora", "loftq", "corda", "lora_ga"};

bool is_set(const Json& value) {
  return !(value.is_null() || value == false ||
           ((value.is_object() || value.is_array()) && value.empty()));
}

void check_config(const Json& config, std::string_view where) {
  if (!config.is_object()) throw UserError("{}: expected a JSON object", where);
  const std::string type = get_string(config, "peft_type", where).value_or("");
  if (type != "LORA") throw UserError("{}: key \"peft_type\": expected LORA, got {}", where, type);
  for (const char* key : kUnsupportedKeys) {
    if (config.contains(key) && is_set(config[key])) {
      throw UserError("{}: key \"{}\": not supported, got {}", where, key, to_line(config[key]));
    }
  }
  if (config.contains("init_lora_weights") && config["init_lora_weights"].is_string()) {
    const std::string init = config["init_lora_weights"];
    for (const char* name : kUnsupportedInits) {
      if (init.starts_with(name)) {
        throw UserError(
            "{}: key \"init_lora_weights\": {} changes the base weights, which is not supported",
            where, init);
      }
    }
  }
}

// The value that a rank_pattern or alpha_pattern gives for a module path, if any. Keys are path
// endings; peft would take them as regular expressions, so one with such characters is refused
// rather than misread.
std::optional<double> pattern_value(const Json& config, const char* key, std::string_view module,
                                    std::string_view where) {
  if (!config.contains(key) || !config[key].is_object()) return std::nullopt;
  for (const auto& [pattern, value] : config[key].items()) {
    if (pattern.find_first_of("^$*+?()[]{}|\\") != std::string::npos) {
      throw UserError("{}: key \"{}\": regular expressions are not supported, got \"{}\"", where,
                      key, pattern);
    }
    if (module == pattern || module.ends_with("." + pattern)) {
      if (!value.is_number()) throw UserError("{}: key \"{}\": expected numbers", where, key);
      return value.get<double>();
    }
  }
  return std::nullopt;
}

double scaling_of(const Json& config, std::string_view module, std::int64_t rank,
                  std::string_view where) {
  const double alpha = pattern_value(config, "alpha_pattern", module, where)
                           .value_or(get_number(config, "lora_alpha", where).value_or(8));
  const double expected_rank = pattern_value(config, "rank_pattern", module, where)
                                   .value_or(get_number(config, "r", where).value_or(8));
  if (expected_rank != static_cast<double>(rank)) {
    throw UserError("{}: module {}: expected rank {}, got {}", where, module, expected_rank, rank);
  }
  const bool rslora = get_bool(config, "use_rslora", where).value_or(false);
  return alpha / (rslora ? std::sqrt(expected_rank) : expected_rank);
}

// Removes `suffix` from the end of `text` if it is there.
bool strip_suffix(std::string_view& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}

void require_rank(const formats::TensorView& tensor, std::size_t dimensions) {
  if (tensor.shape.size() != dimensions) {
    throw UserError("{}: tensor {}: expected {} dimensions, got shape {}", tensor.file, tensor.name,
                    dimensions, formats::shape_text(tensor.shape));
  }
}

void sort_tensors(Adapter& adapter) {
  for (const auto& [name, tensor] : adapter.store.tensors()) {
    if (!name.starts_with(kPrefix)) {
      throw UserError("{}: tensor {}: unexpected name, expected the prefix {}", tensor.file, name,
                      kPrefix);
    }
    std::string_view path = std::string_view(name).substr(kPrefix.size());
    const auto module = [&]() -> LoraModule& {
      return adapter.modules[std::string(path) + ".weight"];
    };
    if (strip_suffix(path, ".lora_A.weight")) {
      require_rank(tensor, 2);
      module().a = &tensor;
    } else if (strip_suffix(path, ".lora_B.weight")) {
      require_rank(tensor, 2);
      module().b = &tensor;
    } else if (strip_suffix(path, ".lora_magnitude_vector")) {
      require_rank(tensor, 1);
      module().magnitude = &tensor;
    } else if (path.find(".lora_") != std::string_view::npos) {
      throw UserError("{}: tensor {}: this kind of adapter tensor is not supported", tensor.file,
                      name);
    } else {
      adapter.replaced.emplace(path, &tensor);
    }
  }
}

}  // namespace

Adapter read_adapter(const fs::path& directory) {
  const fs::path config_path = directory / "adapter_config.json";
  const std::string where = config_path.string();
  const Json config = read_json_file(config_path);
  check_config(config, where);

  fs::path tensors = directory / "adapter_model.safetensors";
  if (!fs::exists(tensors)) tensors = directory / "adapter_model.bin";
  if (!fs::exists(tensors)) {
    throw UserError(
        "{}: no adapter tensors, expected adapter_model.safetensors or adapter_model.bin",
        directory.string());
  }
  Adapter adapter{formats::TensorStore::open_file(tensors), {}, {}, directory};
  sort_tensors(adapter);

  const bool dora = get_bool(config, "use_dora", where).value_or(false);
  for (auto& [name, module] : adapter.modules) {
    if (module.a == nullptr || module.b == nullptr || dora != (module.magnitude != nullptr)) {
      throw UserError("{}: module {}: incomplete, expected lora_A and lora_B{}", directory.string(),
                      name, dora ? " and lora_magnitude_vector" : " only");
    }
    const std::string_view path =
        std::string_view(name).substr(0, name.size() - std::string_view(".weight").size());
    module.scaling = scaling_of(config, path, module.a->shape[0], where);
  }
  return adapter;
}

std::vector<float> to_float(const formats::TensorView& tensor) {
  check_element_type(tensor);
  const DTypeInfo& info = dtype_info(tensor.dtype);
  const std::int64_t count =
      static_cast<std::int64_t>(tensor.data.size()) / info.block_bytes * info.block_elements;
  std::vector<float> values(static_cast<std::size_t>(count));
  values_of(tensor.dtype, tensor.data.data(), count, values.data());
  return values;
}

void check_fits(const LoraModule& module, const formats::TensorView& base) {
  const std::int64_t out = module.b->shape[0];
  const std::int64_t rank = module.a->shape[0];
  const std::int64_t in = module.a->shape[1];
  if (base.shape != std::vector<std::int64_t>{out, in} || module.b->shape[1] != rank) {
    throw UserError("{}: tensor {}: shapes {} and {} do not fit the weight {} of shape {}",
                    module.a->file, module.a->name, formats::shape_text(module.b->shape),
                    formats::shape_text(module.a->shape), base.name,
                    formats::shape_text(base.shape));
  }
  if (module.magnitude != nullptr && module.magnitude->shape[0] != out) {
    throw UserError("{}: tensor {}: wrong shape, expected [{}], got {}", module.magnitude->file,
                    module.magnitude->name, out, formats::shape_text(module.magnitude->shape));
  }
}

std::vector<float> merge(const LoraModule& module, const formats::TensorView& base,
                         ThreadPool& pool) {
  check_fits(module, base);
  const std::int64_t out = module.b->shape[0];
  const std::int64_t rank = module.a->shape[0];
  const std::int64_t in = module.a->shape[1];
  check_element_type(base);
  std::vector<float> merged(static_cast<std::size_t>(out * in));
  const std::vector<float> a = to_float(*module.a);
  const std::vector<float> b = to_float(*module.b);
  const std::vector<float> magnitude =
      module.magnitude != nullptr ? to_float(*module.magnitude) : std::vector<float>{};
  pool.parallel_for(out, 1, [&](std::int64_t begin, std::int64_t end, int) {
    std::vector<float> delta(static_cast<std::size_t>(in));
    for (std::int64_t row = begin; row < end; ++row) {
      std::fill(delta.begin(), delta.end(), 0.0f);
      for (std::int64_t r = 0; r < rank; ++r) {
        const float factor = b[static_cast<std::size_t>(row * rank + r)];
        const float* source = a.data() + r * in;
        for (std::int64_t i = 0; i < in; ++i)
          delta[static_cast<std::size_t>(i)] += factor * source[i];
      }
      float* target = merged.data() + row * in;
      values_of(base.dtype, base.data.data() + dtype_bytes(base.dtype, row * in), in, target);
      double square_sum = 0;
      for (std::int64_t i = 0; i < in; ++i) {
        target[i] += static_cast<float>(module.scaling) * delta[static_cast<std::size_t>(i)];
        square_sum += static_cast<double>(target[i]) * target[i];
      }
      if (magnitude.empty()) continue;
      const auto factor =
          static_cast<float>(magnitude[static_cast<std::size_t>(row)] / std::sqrt(square_sum));
      for (std::int64_t i = 0; i < in; ++i) target[i] *= factor;
    }
  });
  return merged;
}

}  // namespace laurel::model
