// Preference pairs: {"chosen", "rejected"} as message lists, as answers to a "prompt" (string or
// message list), or as whole transcripts in the "\n\nHuman: … \n\nAssistant: …" form of the HH
// data.
#include <variant>

#include "laurel/base/error.h"
#include "laurel/bench/readers.h"
#include "laurel/bench/row_fields.h"
#include "laurel/schema/input_row.h"
#include "laurel/schema/transcript.h"

namespace laurel::bench {
namespace {

schema::Messages read_side(const Row& row, std::string_view key) {
  const Json& side = required(row, key);
  const std::string where = fmt::format("{}: key \"{}\"", row.where, key);
  const auto prompt = row.object.find("prompt");
  const bool has_prompt = prompt != row.object.end() && !prompt->is_null();
  if (!has_prompt && side.is_string()) {
    const std::string text = side.get<std::string>();
    if (schema::is_transcript(text)) return schema::parse_transcript(text, where);
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
