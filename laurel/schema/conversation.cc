#include "laurel/schema/conversation.h"

#include "laurel/base/error.h"

namespace laurel::schema {

Messages messages_from_json(const Json& list, std::string_view where) {
  if (!list.is_array())
    throw UserError("{}: expected a list of messages, got {}", where, list.type_name());
  if (list.empty()) throw UserError("{}: expected at least one message, got an empty list", where);
  Messages messages;
  messages.reserve(list.size());
  for (const Json& item : list) {
    const std::string place = fmt::format("{}: message {}", where, messages.size() + 1);
    if (!item.is_object()) {
      throw UserError("{}: expected an object with role and content, got {}", place,
                      item.type_name());
    }
    Message message;
    for (const auto& [key, value] : item.items()) {
      if (key == "role") {
        message.role = get_string(item, "role", place).value_or("");
      } else if (key == "content") {
        message.content = get_string(item, "content", place).value_or("");
      } else {
        message.extra[key] = value;
      }
    }
    if (message.role.empty()) throw UserError("{}: expected a non-empty \"role\"", place);
    if (!item.contains("content") || item["content"].is_null()) {
      throw UserError("{}: expected a string \"content\"", place);
    }
    messages.push_back(std::move(message));
  }
  return messages;
}

Json to_json(const Message& message) {
  Json object = {{"role", message.role}, {"content", message.content}};
  for (const auto& [key, value] : message.extra.items()) object[key] = value;
  return object;
}

}  // namespace laurel::schema
