#include "laurel/model/family.h"

#include <algorithm>

#include "laurel/base/error.h"

namespace laurel::model {
namespace {

constexpr Family kFamilies[] = {
    {"llama", "Llama", configure_llama},
    {"qwen2", "Qwen2", configure_qwen2},
};

}  // namespace

std::span<const Family> families() { return kFamilies; }

const Family* find_family(std::string_view architecture) {
  const auto* found =
      std::find_if(std::begin(kFamilies), std::end(kFamilies), [&](const Family& family) {
        if (!architecture.starts_with(family.stem)) return false;
        const std::string_view suffix = architecture.substr(family.stem.size());
        return suffix == kRewardSuffix || suffix == kLanguageSuffix;
      });
  return found == std::end(kFamilies) ? nullptr : found;
}

std::string reward_architecture(std::string_view architecture) {
  const Family* family = find_family(architecture);
  if (family == nullptr) throw InternalError("unknown family {}", architecture);
  return std::string(family->stem) + std::string(kRewardSuffix);
}

Json reward_config(const std::filesystem::path& base) {
  Json config = read_json_file(base / "config.json");
  config["architectures"] = {reward_architecture(parse_config(config, base.string()).architecture)};
  config["num_labels"] = 1;
  config["id2label"] = {{"0", "LABEL_0"}};
  config["label2id"] = {{"LABEL_0", 0}};
  return config;
}

}  // namespace laurel::model
