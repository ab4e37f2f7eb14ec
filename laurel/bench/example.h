// One row of a benchmark: conversations whose last messages are the answers, right ones first.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "laurel/schema/conversation.h"

namespace laurel::bench {

struct Example {
  std::string id;  // unique in the benchmark
  std::string subset;
  std::int64_t num_correct = 1;
  std::vector<schema::Messages> conversations;
};

// The answer: the content of the conversation's last message.
const std::string& answer_text(const schema::Messages& conversation);
// All before the answer, for people: the text of a single user turn, or "role: text" paragraphs.
std::string prompt_text(const schema::Messages& conversation);
// Code points. Bytes that are no valid UTF-8 count as one each.
std::int64_t text_length(std::string_view text);

}  // namespace laurel::bench
