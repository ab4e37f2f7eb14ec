#include "laurel/schema/input_row.h"

#include "laurel/base/error.h"

namespace laurel::schema {
namespace {

const Json* find(const Json& row, const char* key) {
  const auto found = row.find(key);
  return found == row.end() || found->is_null() ? nullptr : &*found;
}

Messages side_messages(const Json& value, const char* role, std::string_view where) {
  if (value.is_string()) return {Message{role, value.get<std::string>()}};
  if (value.is_array()) return messages_from_json(value, where);
  throw UserError("{}: expected a string or a list of messages, got {}", where, value.type_name());
}

bool begins_with(const Messages& messages, const Messages& prefix) {
  if (messages.size() <= prefix.size()) return false;
  for (std::size_t i = 0; i < prefix.size(); ++i) {
    if (messages[i].role != prefix[i].role || messages[i].content != prefix[i].content)
      return false;
  }
  return true;
}

std::vector<std::int32_t> parse_ids(const Json& list, std::string_view where) {
  if (!list.is_array())
    throw UserError("{}: expected a list of token ids, got {}", where, list.type_name());
  std::vector<std::int32_t> ids;
  ids.reserve(list.size());
  for (const Json& item : list) {
    if (!item.is_number_integer() || item < 0 || item > INT32_MAX) {
      throw UserError("{}: expected token ids, got {}", where, to_line(item));
    }
    ids.push_back(item.get<std::int32_t>());
  }
  if (ids.empty()) throw UserError("{}: expected at least one token id, got an empty list", where);
  return ids;
}

const Json& require(const Json& row, const char* key, std::string_view where) {
  const Json* value = find(row, key);
  if (value == nullptr) throw UserError("{}: missing key \"{}\"", where, key);
  return *value;
}

}  // namespace

Conversation join_completion(const Json* prompt, const Json& completion, std::string_view where) {
  if (prompt == nullptr && completion.is_string()) return completion.get<std::string>();
  Messages answer = side_messages(completion, "assistant", where);
  if (prompt == nullptr) return answer;
  Messages conversation = side_messages(*prompt, "user", fmt::format("{}: key \"prompt\"", where));
  if (completion.is_array() && begins_with(answer, conversation)) return answer;
  for (Message& message : answer) conversation.push_back(std::move(message));
  return conversation;
}

InputRow parse_input_row(const Json& row, std::string_view where) {
  if (!row.is_object())
    throw UserError("{}: expected a JSON object, got {}", where, row.type_name());
  InputRow result;
  if (const Json* id = find(row, "id")) result.id = *id;
  const auto place = [&](const char* key) { return fmt::format("{}: key \"{}\"", where, key); };

  if (const Json* messages = find(row, "messages")) {
    result.conversations.emplace_back(messages_from_json(*messages, place("messages")));
  } else if (const Json* ids = find(row, "input_ids")) {
    result.conversations.emplace_back(parse_ids(*ids, place("input_ids")));
  } else if (find(row, "chosen") != nullptr || find(row, "rejected") != nullptr) {
    const Json* prompt = find(row, "prompt");
    for (const char* key : {"chosen", "rejected"}) {
      result.conversations.push_back(join_completion(prompt, require(row, key, where), place(key)));
    }
  } else if (const Json* completions = find(row, "completions")) {
    const Json& prompt = require(row, "prompt", where);
    if (!completions->is_array() || completions->empty()) {
      throw UserError("{}: expected a non-empty list", place("completions"));
    }
    for (const Json& completion : *completions) {
      result.conversations.push_back(join_completion(&prompt, completion, place("completions")));
    }
  } else if (const Json* response = find(row, "response")) {
    result.conversations.push_back(
        join_completion(&require(row, "prompt", where), *response, place("response")));
  } else if (const Json* text = find(row, "text")) {
    if (!text->is_string())
      throw UserError("{}: expected a string, got {}", place("text"), text->type_name());
    result.conversations.emplace_back(text->get<std::string>());
  } else {
    throw UserError(
        "{}: nothing to score, expected one of messages, prompt with completions or response, "
        "chosen with rejected, "
        "text, input_ids",
        where);
  }
  return result;
}

}  // namespace laurel::schema
