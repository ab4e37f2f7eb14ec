#include "laurel/schema/transcript.h"

#include <algorithm>
#include <string>

#include "laurel/base/error.h"

namespace laurel::schema {
namespace {

constexpr std::string_view kHuman = "\n\nHuman:";
constexpr std::string_view kAssistant = "\n\nAssistant:";

std::string stripped(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1));
}

}  // namespace

bool is_transcript(std::string_view text) {
  return text.starts_with(kHuman) || text.starts_with(kHuman.substr(2));
}

Messages parse_transcript(std::string_view text, std::string_view where) {
  Messages messages;
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

}  // namespace laurel::schema
