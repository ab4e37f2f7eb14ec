#include "laurel/bench/mini_verifiers.h"

#include <algorithm>
#include <cctype>

#include "laurel/base/json.h"

namespace laurel::bench {
namespace {

bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

std::int64_t count_sentences(std::string_view text) {
  std::int64_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool ends = text[i] == '.' || text[i] == '!' || text[i] == '?';
    if (ends && (i + 1 == text.size() || text[i + 1] == ' ' || text[i + 1] == '\n')) ++count;
  }
  return count;
}

std::int64_t count_bullets(std::string_view text) {
  std::int64_t count = text.starts_with("- ") ? 1 : 0;
  for (std::size_t at = text.find("\n- "); at != std::string_view::npos;
       at = text.find("\n- ", at + 1))
    ++count;
  return count;
}

// Whole-word search without regard to case.
bool includes_word(std::string_view text, std::string_view word) {
  const std::string haystack = lower(text), needle = lower(word);
  for (std::size_t at = haystack.find(needle); at != std::string::npos;
       at = haystack.find(needle, at + 1)) {
    const std::size_t end = at + needle.size();
    if ((at == 0 || !is_letter(haystack[at - 1])) &&
        (end == haystack.size() || !is_letter(haystack[end])))
      return true;
  }
  return false;
}

bool is_json_with_key(std::string_view text, const std::string& key) {
  const Json json = Json::parse(text, nullptr, false);
  return json.is_object() && json.contains(key);
}

}  // namespace

std::int64_t count_words(std::string_view text) {
  std::int64_t count = 0;
  bool inside = false;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\n';
    count += !space && !inside;
    inside = !space;
  }
  return count;
}

bool satisfies(std::string_view text, const Constraint& constraint) {
  switch (constraint.kind) {
    case ConstraintKind::kWordCount:
      return count_words(text) == constraint.number;
    case ConstraintKind::kMaxWords:
      return count_words(text) <= constraint.number;
    case ConstraintKind::kSentenceCount:
      return count_sentences(text) == constraint.number;
    case ConstraintKind::kBulletCount:
      return count_bullets(text) == constraint.number;
    case ConstraintKind::kLowercase:
      return std::none_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    case ConstraintKind::kUppercase:
      return std::none_of(text.begin(), text.end(), [](char c) { return c >= 'a' && c <= 'z'; });
    case ConstraintKind::kIncludeWord:
      return includes_word(text, constraint.word);
    case ConstraintKind::kExcludeWord:
      return !includes_word(text, constraint.word);
    case ConstraintKind::kNoCommas:
      return text.find(',') == std::string_view::npos;
    case ConstraintKind::kStartsWith:
      return text.starts_with(constraint.word);
    case ConstraintKind::kEndsWith:
      return text.ends_with(constraint.word) || text.ends_with(constraint.word + ".");
    case ConstraintKind::kJsonWithKey:
      return is_json_with_key(text, constraint.word);
  }
  return false;
}

}  // namespace laurel::bench
