#include "laurel/chat/jinja/text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "laurel/base/utf8.h"
#include "laurel/chat/jinja/case_mapping.h"

namespace laurel::chat::jinja {
namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// Start of the code point that ends before `end`. Precondition: end > 0.
std::size_t previous(std::string_view text, std::size_t end) {
  do {
    --end;
  } while (end > 0 && is_continuation(text[end]));
  return end;
}

bool is_in(char32_t code, std::string_view characters) {
  for (std::size_t at = 0; at < characters.size();) {
    if (decode_utf8(characters, at) == code) return true;
  }
  return false;
}

bool strippable(char32_t code, const std::optional<std::string_view>& characters) {
  return characters ? is_in(code, *characters) : is_space(code);
}

// Removes "_" between digits, as Python's number syntax allows; nullopt where it does not.
std::optional<std::string> without_underscores(std::string_view text) {
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      digits.push_back(text[i]);
      continue;
    }
    const auto is_alnum = [&](std::size_t k) {
      return k < text.size() && (is_alpha(static_cast<unsigned char>(text[k])) ||
                                 is_decimal(static_cast<unsigned char>(text[k])));
    };
    if (i == 0 || !is_alnum(i - 1) || !is_alnum(i + 1)) return std::nullopt;
  }
  return digits;
}

}  // namespace

bool is_space(char32_t code) {
  if (code < 0x80)
    return code == ' ' || (code >= 9 && code <= 13) || (code >= 0x1c && code <= 0x1f);
  return code == 0x85 || code == 0xa0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200a) ||
         code == 0x2028 || code == 0x2029 || code == 0x202f || code == 0x205f || code == 0x3000;
}

std::int64_t count_code_points(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); });
}

std::size_t size_at(std::string_view text, std::size_t offset) {
  const auto lead = static_cast<unsigned char>(text[offset]);
  return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

std::size_t offset_of(std::string_view text, std::int64_t index) {
  std::size_t offset = 0;
  while (index-- > 0 && offset < text.size()) offset += size_at(text, offset);
  return offset;
}

std::string_view strip_left(std::string_view text, std::optional<std::string_view> characters) {
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t next = at;
    if (!strippable(decode_utf8(text, next), characters)) break;
    at = next;
  }
  return text.substr(at);
}

std::string_view strip_right(std::string_view text, std::optional<std::string_view> characters) {
  while (!text.empty()) {
    const std::size_t begin = previous(text, text.size());
    std::size_t at = begin;
    if (!strippable(decode_utf8(text, at), characters)) break;
    text = text.substr(0, begin);
  }
  return text;
}

std::string_view strip(std::string_view text, std::optional<std::string_view> characters) {
  return strip_right(strip_left(text, characters), characters);
}

std::vector<std::string_view> split(std::string_view text, std::string_view separator,
                                    std::int64_t max_splits) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  while (max_splits < 0 || static_cast<std::int64_t>(parts.size()) < max_splits) {
    const std::size_t end = text.find(separator, begin);
    if (end == std::string_view::npos) break;
    parts.push_back(text.substr(begin, end - begin));
    begin = end + separator.size();
  }
  parts.push_back(text.substr(begin));
  return parts;
}

std::vector<std::string_view> split_right(std::string_view text, std::string_view separator,
                                          std::int64_t max_splits) {
  std::vector<std::string_view> parts;
  while (max_splits < 0 || static_cast<std::int64_t>(parts.size()) < max_splits) {
    const std::size_t begin = text.rfind(separator);
    if (begin == std::string_view::npos) break;
    parts.push_back(text.substr(begin + separator.size()));
    text = text.substr(0, begin);
  }
  parts.push_back(text);
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string_view> split_space(std::string_view text, std::int64_t max_splits) {
  std::vector<std::string_view> parts;
  text = strip_left(text);
  while (!text.empty()) {
    if (max_splits >= 0 && static_cast<std::int64_t>(parts.size()) >= max_splits) {
      parts.push_back(text);
      break;
    }
    std::size_t end = 0;
    while (end < text.size()) {
      std::size_t next = end;
      if (is_space(decode_utf8(text, next))) break;
      end = next;
    }
    parts.push_back(text.substr(0, end));
    text = strip_left(text.substr(end));
  }
  return parts;
}

std::vector<std::string_view> split_space_right(std::string_view text, std::int64_t max_splits) {
  std::vector<std::string_view> parts;
  text = strip_right(text);
  while (!text.empty()) {
    if (max_splits >= 0 && static_cast<std::int64_t>(parts.size()) >= max_splits) {
      parts.push_back(text);
      break;
    }
    std::size_t begin = text.size();
    while (begin > 0) {
      const std::size_t before = previous(text, begin);
      std::size_t at = before;
      if (is_space(decode_utf8(text, at))) break;
      begin = before;
    }
    parts.push_back(text.substr(begin));
    text = strip_right(text.substr(0, begin));
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
  const auto ends_line = [](char32_t code) {
    return (code >= 10 && code <= 13) || (code >= 0x1c && code <= 0x1e) || code == 0x85 ||
           code == 0x2028 || code == 0x2029;
  };
  std::vector<std::string_view> lines;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = at;
    const char32_t code = decode_utf8(text, at);
    if (!ends_line(code)) continue;
    if (code == '\r' && at < text.size() && text[at] == '\n') ++at;
    lines.push_back(text.substr(begin, (keep_ends ? at : end) - begin));
    begin = at;
  }
  if (begin < text.size()) lines.push_back(text.substr(begin));
  return lines;
}

std::string upper(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) append_upper(result, decode_utf8(text, at));
  return result;
}

std::string lower(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); at += size_at(text, at))
    append_lower(result, text, at);
  return result;
}

std::string capitalize(std::string_view text) {
  std::string result;
  if (text.empty()) return result;
  std::size_t at = 0;
  append_title(result, decode_utf8(text, at));
  for (; at < text.size(); at += size_at(text, at)) append_lower(result, text, at);
  return result;
}

std::string swap_case(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t next = at;
    const char32_t code = decode_utf8(text, next);
    if (is_upper(code)) {
      append_lower(result, text, at);
    } else {
      append_upper(result, code);
    }
    at = next;
  }
  return result;
}

std::string title(std::string_view text) {
  std::string result;
  bool in_word = false;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t next = at;
    const char32_t code = decode_utf8(text, next);
    if (in_word) {
      append_lower(result, text, at);
    } else {
      append_title(result, code);
    }
    in_word = is_cased(code);
    at = next;
  }
  return result;
}

std::string title_words(std::string_view text) {
  const auto separates = [](char32_t code) {
    return is_space(code) || code == '-' || code == '(' || code == '{' || code == '[' ||
           code == '<';
  };
  std::string result;
  std::size_t at = 0;
  while (at < text.size()) {  // one word or one run of separators at a time, as jinja2 splits
    std::size_t end = at;
    const char32_t first = decode_utf8(text, end);
    const bool separator = separates(first);
    while (end < text.size()) {
      std::size_t next = end;
      if (separates(decode_utf8(text, next)) != separator) break;
      end = next;
    }
    append_upper(result, first);
    const std::size_t rest = at + size_at(text, at);
    result += lower(text.substr(rest, end - rest));
    at = end;
  }
  return result;
}

std::int64_t count_parts(std::string_view text, std::string_view part) {
  if (part.empty()) return count_code_points(text) + 1;
  std::int64_t count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string_view::npos; at += part.size())
    ++count;
  return count;
}

std::optional<std::int64_t> parse_int(std::string_view text, int base, bool& overflow) {
  const std::optional<std::string> clean = without_underscores(strip(text));
  if (!clean) return std::nullopt;
  std::string_view digits = *clean;
  bool negative = false;
  if (!digits.empty() && (digits[0] == '-' || digits[0] == '+')) {
    negative = digits[0] == '-';
    digits.remove_prefix(1);
  }
  const auto has_prefix = [&](char letter) {
    return digits.size() > 2 && digits[0] == '0' && (digits[1] | 0x20) == letter;
  };
  for (const auto& [letter, value] : {std::pair{'x', 16}, std::pair{'o', 8}, std::pair{'b', 2}}) {
    if ((base == value || base == 0) && has_prefix(letter)) {
      base = value;
      digits.remove_prefix(2);
      break;
    }
  }
  if (base == 0) {
    if (digits.size() > 1 && digits[0] == '0' &&
        digits.find_first_not_of('0') != std::string_view::npos) {
      return std::nullopt;
    }
    base = 10;
  }
  if (digits.empty() || digits[0] == '-' || digits[0] == '+') return std::nullopt;
  const std::string signed_digits = (negative ? "-" : "") + std::string(digits);
  const char* const last = signed_digits.data() + signed_digits.size();
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(signed_digits.data(), last, value, base);
  if (end != last) return std::nullopt;
  if (error == std::errc::result_out_of_range) return overflow = true, std::nullopt;
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

std::optional<double> parse_float(std::string_view text) {
  const std::optional<std::string> clean = without_underscores(strip(text));
  if (!clean) return std::nullopt;
  std::string_view digits = *clean;
  const bool negative = !digits.empty() && digits[0] == '-';
  if (negative || (!digits.empty() && digits[0] == '+')) digits.remove_prefix(1);
  if (digits.empty() || digits[0] == '-' || digits[0] == '+') return std::nullopt;
  const std::string word = lower(digits);
  double value = 0;
  if (word == "inf" || word == "infinity") {
    value = std::numeric_limits<double>::infinity();
  } else if (word == "nan") {
    value = std::numeric_limits<double>::quiet_NaN();
  } else {
    if (word.find('n') != std::string::npos) return std::nullopt;  // from_chars takes nan(…)
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (end != word.data() + word.size()) return std::nullopt;
    if (error == std::errc::result_out_of_range) value = std::strtod(word.c_str(), nullptr);
  }
  return negative ? -value : value;
}

}  // namespace laurel::chat::jinja
