// Preference pairs: {"chosen", "rejected"} as message lists, as answers to a "prompt" (string or
// message list), or as whole transcripts in the "\n\nHuman: … \n\nAssistant: …" form of the HH
// data.
#include "laurel/base/error.h"
#include "laurel/bench/readers.h"
#include "laurel/bench/row_fields.h"

namespace laurel::bench {
namespace {

constexpr std::string_view kHuman = "\n\nHuman:";
constexpr std::string_view kAssistant = "\n\nAssistant:";

std::string stripped(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1));
}

bool is_transcript(std::string_view text) {
  return text.starts_with(kHuman) || text.starts_with(kHuman.substr(2));
}

schema::Messages parse_transcript(std::string_view text, const std::string& where) {
  schema::Messages messages;
  std::size_t begin = text.starts_with(kHuman) ? kHuman.size() : kHuman.size() - 2;
  std::string role = "user";
  for (;;) {
    const std::size_t human = text.find(kHuman, begin);
    const std::size_t assistant = text.find(kAssistant, begin);
    const std::size_t end = std::min(human, assistant);
    messages.push_back({role, stripped(text.substr(begin, end - begin)), Json::object()});
    if (end == std::string_view::npos) break;
    role = human < assistant ? "user" : "assistant";
    begin = end + (human < assistant ? kHuman.size() : kAssistant.size());
  }
  if (messages.size() < 2)
    throw UserError("{}: expected at least one \"Assistant:\" turn, got none", where);
  return messages;
}

schema::Messages read_prompt(const Row& row) {
  const Json& prompt = required(row, "prompt");
  if (prompt.is_string()) return {{"user", prompt.get<std::string>(), Json::object()}};
  return schema::messages_from_json(prompt, row.where + ": key \"prompt\"");
}

schema::Messages read_side(const Row& row, std::string_view key) {
  const Json& side = required(row, key);
  const std::string where = fmt::format("{}: key \"{}\"", row.where, key);
  if (side.is_array()) {
    schema::Messages messages = schema::messages_from_json(side, where);
    // With a prompt of its own beside it, the list may hold the answer only.
    if (messages.size() == 1 && row.object.contains("prompt")) {
      schema::Messages whole = read_prompt(row);
      whole.push_back(std::move(messages.front()));
      return whole;
    }
    return messages;
  }
  if (!side.is_string()) {
    throw UserError("{}: expected a string or a list of messages, got {}", where, side.type_name());
  }
  const std::string text = side.get<std::string>();
  if (!row.object.contains("prompt") && is_transcript(text)) return parse_transcript(text, where);
  if (!row.object.contains("prompt")) {
    throw UserError(
        "{}: a string needs a \"prompt\" beside it, or the form \"\\n\\nHuman: … \\n\\nAssistant: "
        "…\"",
        where);
  }
  schema::Messages messages = read_prompt(row);
  messages.push_back({"assistant", text, Json::object()});
  return messages;
}

}  // namespace

Example preference_example(const Row& row, std::int64_t number) {
  Example example;
  example.id = row.object.contains("id") ? required_id(row) : std::to_string(number);
  if (row.object.contains("subset"))
    example.subset = get_string(row.object, "subset", row.where).value_or("");
  example.conversations.push_back(read_side(row, "chosen"));
  example.conversations.push_back(read_side(row, "rejected"));
  return example;
}

}  // namespace laurel::bench
