// What is scored: messages, and conversations made of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "laurel/base/json.h"

namespace laurel::schema {

// One turn. `extra` holds further members of the message's JSON object (tool_calls, name, …) for
// the chat template; an empty object in the ordinary case.
struct Message {
  std::string role;
  std::string content;
  Json extra = Json::object();
};

using Messages = std::vector<Message>;

// What can be scored: messages (rendered with the chat template), text that is already rendered, or
// token ids.
using Conversation = std::variant<Messages, std::string, std::vector<std::int32_t>>;

// Parses a list of {"role", "content", …}. `where` begins the UserError's text. Refuses a list that
// is empty, a message without a string role or a string content.
Messages messages_from_json(const Json& list, std::string_view where);
// {"role", "content", extra members}, in this order.
Json to_json(const Message& message);

}  // namespace laurel::schema
