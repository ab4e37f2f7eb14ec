// Which training prompts a benchmark contains.
//
// Rule: the words of a prompt are those of its user turns, one after the other: runs of letters and
// digits in lower case; an ideograph is a word of its own. A prompt is contaminated if it shares 13
// consecutive words with a benchmark's prompt, or is the same word for word where the benchmark's
// prompt has fewer.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "laurel/base/json.h"
#include "laurel/schema/conversation.h"

namespace laurel::data {

// Lower-case words of a text. Bytes that are not valid UTF-8 separate words.
std::vector<std::string> words_of(std::string_view text);

// The prompt of a conversation as text: the user turns before the last message; rendered text as a
// whole; nothing for token ids.
std::string prompt_text(const schema::Conversation& conversation);

// Immutable; thread-safe.
class ContaminationIndex {
 public:
  static constexpr std::size_t kWords = 13;

  // Rows with a "prompt" (string or messages), "messages", or "chosen" with a whole conversation.
  // Throws UserError for a row with none.
  explicit ContaminationIndex(const std::vector<std::string>& files);

  bool empty() const { return places_.empty(); }
  // "file:line (id …)" of a benchmark row that overlaps with the prompt; the earliest for the
  // first run of words that does.
  std::optional<std::string> find(std::string_view prompt) const;

 private:
  void add(const std::vector<std::string>& words, std::size_t place);

  std::vector<std::string> places_;
  std::unordered_map<std::string, std::size_t> runs_;   // 13 words: index in places_
  std::unordered_map<std::string, std::size_t> whole_;  // all words of a shorter prompt
};

}  // namespace laurel::data
