#include "laurel/data/contamination.h"

#include <utf8proc.h>

#include <algorithm>

#include "laurel/base/error.h"
#include "laurel/base/utf8.h"
#include "laurel/data/row_value.h"
#include "laurel/data/source_files.h"
#include "laurel/schema/input_row.h"
#include "laurel/schema/transcript.h"

namespace laurel::data {
namespace {

enum class Kind { kSeparator, kLetter, kIdeograph };

Kind kind_of(char32_t code) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code))) {
    case UTF8PROC_CATEGORY_LO:
      return utf8proc_charwidth(static_cast<utf8proc_int32_t>(code)) == 2 ? Kind::kIdeograph
                                                                          : Kind::kLetter;
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return Kind::kLetter;
    default:
      return Kind::kSeparator;
  }
}

// Words [begin, begin + count) as one string.
std::string joined(const std::vector<std::string>& words, std::size_t begin, std::size_t count) {
  std::string text;
  for (std::size_t i = begin; i < begin + count; ++i) text += words[i] + ' ';
  return text;
}

// What a benchmark row asks.
std::string benchmark_prompt(const formats::Row& row) {
  if (const Json* prompt = find_member(row.object, "prompt")) {
    // an empty answer makes it a conversation whose prompt is all of it
    return prompt_text(schema::join_completion(prompt, Json(""), row.where));
  }
  for (const char* key : {"messages", "chosen"}) {
    const Json* value = find_member(row.object, key);
    if (value == nullptr) continue;
    const std::string place = place_of(row.where, key);
    if (value->is_string()) {
      const auto& text = value->get_ref<const std::string&>();
      if (!schema::is_transcript(text)) return text;
      return prompt_text(schema::parse_transcript(text, place));
    }
    return prompt_text(schema::messages_from_json(*value, place));
  }
  throw UserError("{}: no prompt to compare with, expected prompt, messages or chosen", row.where);
}

}  // namespace

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) words.push_back(std::move(word));
    word.clear();
  };
  while (!text.empty()) {
    const std::size_t valid = std::min(find_invalid_utf8(text), text.size());
    for (std::size_t offset = 0; offset < valid;) {
      const char32_t code = decode_utf8(text, offset);
      const Kind kind = kind_of(code);
      if (kind != Kind::kLetter) end_word();
      if (kind == Kind::kSeparator) continue;
      append_utf8(word, static_cast<char32_t>(utf8proc_tolower(static_cast<int>(code))));
      if (kind == Kind::kIdeograph) end_word();
    }
    end_word();
    text.remove_prefix(std::min(valid + 1, text.size()));
  }
  return words;
}

std::string prompt_text(const schema::Conversation& conversation) {
  if (const auto* text = std::get_if<std::string>(&conversation)) return *text;
  std::string prompt;
  if (const auto* messages = std::get_if<schema::Messages>(&conversation)) {
    for (std::size_t i = 0; i + 1 < messages->size(); ++i) {
      if ((*messages)[i].role == "user") prompt += (*messages)[i].content + '\n';
    }
  }
  return prompt;
}

ContaminationIndex::ContaminationIndex(const std::vector<std::string>& files) {
  for (const std::string& file : files) {
    SourceRows rows({file}, {"id", "prompt", "messages", "chosen"});
    for (SourceRow row; rows.next(row);) {
      if (!row.error.empty()) throw UserError(row.error);
      const Json* id = find_member(row.row.object, "id");
      places_.push_back(id == nullptr
                            ? row.row.where
                            : fmt::format("{} (id {})", row.row.where,
                                          id->is_string() ? id->get<std::string>() : to_line(*id)));
      add(words_of(benchmark_prompt(row.row)), places_.size() - 1);
    }
  }
}

void ContaminationIndex::add(const std::vector<std::string>& words, std::size_t place) {
  if (words.empty()) return;
  if (words.size() < kWords) whole_.emplace(joined(words, 0, words.size()), place);
  for (std::size_t i = 0; i + kWords <= words.size(); ++i)
    runs_.emplace(joined(words, i, kWords), place);
}

std::optional<std::string> ContaminationIndex::find(std::string_view prompt) const {
  const std::vector<std::string> words = words_of(prompt);
  if (words.size() < kWords) {
    const auto found = whole_.find(joined(words, 0, words.size()));
    if (found != whole_.end()) return places_[found->second];
  }
  for (std::size_t i = 0; i + kWords <= words.size(); ++i) {
    const auto found = runs_.find(joined(words, i, kWords));
    if (found != runs_.end()) return places_[found->second];
  }
  return std::nullopt;
}

}  // namespace laurel::data
