#include "laurel/chat/checkpoint_template.h"

#include "laurel/base/error.h"
#include "laurel/base/file.h"

namespace laurel::chat {
namespace {

constexpr std::uint64_t kMaxTemplateBytes = std::uint64_t{16} << 20;
constexpr const char* kWhere = "tokenizer_config.json: chat_template";

std::optional<TemplateText> from_list(const Json& list) {
  for (const Json& entry : list) {
    if (!entry.is_object())
      throw UserError("{}: expected objects in the list, got {}", kWhere, entry.type_name());
    const auto text = get_string(entry, "template", kWhere);
    if (get_string(entry, "name", kWhere) == "default" && text) {
      return TemplateText{"tokenizer_config.json", *text};
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<TemplateText> find_template(const std::filesystem::path& directory,
                                          const Json& tokenizer_config,
                                          const std::string& template_file) {
  if (!template_file.empty())
    return TemplateText{template_file, read_file(template_file, kMaxTemplateBytes)};
  const std::filesystem::path own = directory / "chat_template.jinja";
  if (std::filesystem::exists(own)) {
    return TemplateText{"chat_template.jinja", read_file(own, kMaxTemplateBytes)};
  }
  const auto found = tokenizer_config.find("chat_template");
  if (found == tokenizer_config.end() || found->is_null()) return std::nullopt;
  if (found->is_string()) return TemplateText{"tokenizer_config.json", found->get<std::string>()};
  if (!found->is_array())
    throw UserError("{}: expected a string or a list, got {}", kWhere, found->type_name());
  return from_list(*found);
}

}  // namespace laurel::chat
