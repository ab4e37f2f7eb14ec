// The decoder families. A further one is a file with its reader and a row in the table of
// family.cc.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "laurel/base/json.h"
#include "laurel/model/config.h"
#include "laurel/model/config_reader.h"

namespace laurel::model {

struct Family {
  std::string_view name;  // "llama"
  std::string_view stem;  // "Llama", of LlamaForSequenceClassification and LlamaForCausalLM
  // Sets what differs from the common shape: biases, windows, defaults of transformers 4.57.6.
  // Called after the common keys have been read.
  void (*configure)(const ConfigReader& reader, ModelConfig& config);
};

inline constexpr std::string_view kRewardSuffix = "ForSequenceClassification";
inline constexpr std::string_view kLanguageSuffix = "ForCausalLM";

std::span<const Family> families();
// nullptr if no family has this architecture string.
const Family* find_family(std::string_view architecture);
// "LlamaForSequenceClassification" of any architecture of a family.
std::string reward_architecture(std::string_view architecture);
// The base's config.json as that of a reward model: its architecture, and one label.
Json reward_config(const std::filesystem::path& base);

void configure_llama(const ConfigReader& reader, ModelConfig& config);
void configure_qwen2(const ConfigReader& reader, ModelConfig& config);

}  // namespace laurel::model
