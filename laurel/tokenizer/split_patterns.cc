#include "laurel/tokenizer/split_patterns.h"

#include "laurel/base/utf8.h"
#include "laurel/tokenizer/unicode_class.h"

namespace laurel::tokenizer {
namespace {

constexpr std::string_view kGpt2Regex =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kLlama3Regex =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2Regex =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// Beside CharFlag: neither letter, number nor white space.
constexpr unsigned kOther = 256;

// The text with the class of each character. Behind the end no class is set.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text), flags_(char_flags()) {}

  std::size_t size() const { return text_.size(); }
  char byte(std::size_t i) const { return i < text_.size() ? text_[i] : '\0'; }
  bool is_newline(std::size_t i) const { return byte(i) == '\r' || byte(i) == '\n'; }

  // Classes of the character at `i`, and the offset behind it.
  unsigned classes(std::size_t i, std::size_t& next) const {
    next = i;
    if (i >= text_.size()) return 0;
    const unsigned flags = flags_(decode_utf8(text_, next));
    return flags & (kLetter | kNumber | kSpace) ? flags : flags | kOther;
  }
  unsigned classes(std::size_t i) const {
    std::size_t next;
    return classes(i, next);
  }

  // Offset behind the longest run of the class that starts at `i`.
  std::size_t skip(std::size_t i, unsigned mask) const {
    std::size_t next;
    while (classes(i, next) & mask) i = next;
    return i;
  }

  std::size_t skip_newlines(std::size_t i) const {
    while (is_newline(i)) ++i;
    return i;
  }

 private:
  std::string_view text_;
  const CharFlags& flags_;
};

// 's|'t|'re|'ve|'m|'ll|'d at the start; with fold_case, as (?i:…) does it: U+017F (ſ) is an s. 0 if
// there is none.
std::size_t match_contraction(const Scanner& text, bool fold_case) {
  if (text.byte(0) != '\'') return 0;
  const auto lower = [&](std::size_t i) {
    const char c = text.byte(i);
    return fold_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  };
  switch (lower(1)) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return 2;
    case 'r':
    case 'v':
      return lower(2) == 'e' ? 3 : 0;
    case 'l':
      return lower(2) == 'l' ? 3 : 0;
    case '\xc5':
      return fold_case && text.byte(2) == '\xbf' ? 3 : 0;
    default:
      return 0;
  }
}

// \s+(?!\S)|\s+ : a run of white space without its last character, unless it ends the text or is
// that one character.
std::size_t match_space(const Scanner& text) {
  std::size_t end = 0, last = 0, next;
  while (text.classes(end, next) & kSpace) {
    last = end;
    end = next;
  }
  return end == text.size() || last == 0 ? end : last;
}

// \s*[\r\n]+ : a run of white space up to its last line end. 0 if it has none.
std::size_t match_lines(const Scanner& text) {
  std::size_t end = 0, i = 0, next;
  while (text.classes(i, next) & kSpace) {
    if (text.is_newline(i)) end = next;
    i = next;
  }
  return end;
}

std::size_t match_gpt2(const Scanner& text) {
  if (const std::size_t size = match_contraction(text, false)) return size;
  const std::size_t start = text.byte(0) == ' ' ? 1 : 0;
  for (const unsigned mask : {unsigned{kLetter}, unsigned{kNumber}, kOther}) {
    if (text.classes(start) & mask) return text.skip(start, mask);
  }
  return match_space(text);
}

std::size_t match_llama3(const Scanner& text, int max_digits) {
  if (const std::size_t size = match_contraction(text, true)) return size;
  std::size_t second;
  const unsigned first = text.classes(0, second);
  if (first & kLetter) return text.skip(second, kLetter);
  if (first & kNumber) {
    std::size_t end = second, next;
    for (int i = 1; i < max_digits && (text.classes(end, next) & kNumber); ++i) end = next;
    return end;
  }
  if (!text.is_newline(0) && (text.classes(second) & kLetter)) return text.skip(second, kLetter);
  const std::size_t start = text.byte(0) == ' ' ? 1 : 0;
  if (text.classes(start) & kOther) return text.skip_newlines(text.skip(start, kOther));
  if (const std::size_t size = match_lines(text)) return size;
  return match_space(text);
}

}  // namespace

std::optional<SplitPattern> find_split_pattern(std::string_view regex) {
  if (regex == kGpt2Regex) return SplitPattern::kGpt2;
  if (regex == kLlama3Regex) return SplitPattern::kLlama3;
  if (regex == kQwen2Regex) return SplitPattern::kQwen2;
  return std::nullopt;
}

std::size_t match_split(SplitPattern pattern, std::string_view text) {
  const Scanner scanner(text);
  switch (pattern) {
    case SplitPattern::kGpt2:
      return match_gpt2(scanner);
    case SplitPattern::kLlama3:
      return match_llama3(scanner, 3);
    case SplitPattern::kQwen2:
      return match_llama3(scanner, 1);
  }
  return text.size();
}

}  // namespace laurel::tokenizer
