// Preference pairs: {"chosen", "rejected"} as message lists, as answers to a "prompt" (string or
// message list), or as whole transcripts in the "\n\nHuman: … \n\nAssistant: …" form of the HH
// data.
#include <algorithm>
#include <variant>

#include "laurel/base/error.h"
#include "laurel/bench/readers.h"
#include "laurel/bench/row_fields.h"
#include "laurel/schema/input_row.h"

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

schema::Messages read_side(const Row& row, std::string_view key) {
  const Json& side = required(row, key);
  const std::string where = fmt::format("{}: key \"{}\"", row.where, key);
  const auto prompt = row.object.find("prompt");
  const bool has_prompt = prompt != row.object.end() && !prompt->is_null();
  if (!has_prompt && side.is_string()) {
    const std::string text = side.get<std::string>();
    if (is_transcript(text)) return parse_transcript(text, where);
    throw UserError(
        "{}: expected a list of messages, a string with a \"prompt\" beside it, or the form "
        "\"\\n\\nHuman: … \\n\\nAssistant: …\"",
        where);
  }
  schema::Messages messages = std::get<schema::Messages>(
      schema::join_completion(has_prompt ? &*prompt : nullptr, side, where));
  if (messages.size() < 2) {
    throw UserError("{}: expected a prompt and an answer, got one message", where);
  }
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
