// Which chat template a checkpoint has.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "laurel/base/json.h"

namespace laurel::chat {

struct TemplateText {
  std::string source;  // where it came from: a file's name, or "tokenizer_config.json"
  std::string text;
};

// `template_file` if not empty, else chat_template.jinja of the directory, else "chat_template" of
// the tokenizer's config: a string, or the one named "default" of a list of {"name", "template"}.
// Nullopt if there is none. Throws UserError for a config of another form, IoError if a file cannot
// be read.
std::optional<TemplateText> find_template(const std::filesystem::path& directory,
                                          const Json& tokenizer_config,
                                          const std::string& template_file);

}  // namespace laurel::chat
