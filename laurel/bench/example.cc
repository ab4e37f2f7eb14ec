#include "laurel/bench/example.h"

#include <algorithm>

namespace laurel::bench {

const std::string& answer_text(const schema::Messages& conversation) {
  return conversation.back().content;
}

std::string prompt_text(const schema::Messages& conversation) {
  if (conversation.size() == 2 && conversation[0].role == "user") return conversation[0].content;
  std::string text;
  for (std::size_t i = 0; i + 1 < conversation.size(); ++i) {
    if (i > 0) text += "\n\n";
    text += conversation[i].role + ": " + conversation[i].content;
  }
  return text;
}

std::int64_t text_length(std::string_view text) {
  // Every byte but a continuation byte (10xxxxxx) begins a code point.
  return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; });
}

}  // namespace laurel::bench
