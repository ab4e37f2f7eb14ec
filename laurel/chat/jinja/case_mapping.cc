#include "laurel/chat/jinja/case_mapping.h"

#include <utf8proc.h>

#include <algorithm>
#include <iterator>

#include "laurel/base/utf8.h"

namespace laurel::chat::jinja {
namespace {

struct Expansion {
  std::uint32_t from;
  std::uint32_t to[3];  // ends at 0
};

// Code points whose upper case is more than one code point (SpecialCasing.txt of Unicode 14, as
// Python 3.11 has it).
constexpr Expansion kUpper[] = {
    {0x00df, {0x0053, 0x0053, 0}},      {0x0149, {0x02bc, 0x004e, 0}},
    {0x01f0, {0x004a, 0x030c, 0}},      {0x0390, {0x0399, 0x0308, 0x0301}},
    {0x03b0, {0x03a5, 0x0308, 0x0301}}, {0x0587, {0x0535, 0x0552, 0}},
    {0x1e96, {0x0048, 0x0331, 0}},      {0x1e97, {0x0054, 0x0308, 0}},
    {0x1e98, {0x0057, 0x030a, 0}},      {0x1e99, {0x0059, 0x030a, 0}},
    {0x1e9a, {0x0041, 0x02be, 0}},      {0x1f50, {0x03a5, 0x0313, 0}},
    {0x1f52, {0x03a5, 0x0313, 0x0300}}, {0x1f54, {0x03a5, 0x0313, 0x0301}},
    {0x1f56, {0x03a5, 0x0313, 0x0342}}, {0x1f80, {0x1f08, 0x0399, 0}},
    {0x1f81, {0x1f09, 0x0399, 0}},      {0x1f82, {0x1f0a, 0x0399, 0}},
    {0x1f83, {0x1f0b, 0x0399, 0}},      {0x1f84, {0x1f0c, 0x0399, 0}},
    {0x1f85, {0x1f0d, 0x0399, 0}},      {0x1f86, {0x1f0e, 0x0399, 0}},
    {0x1f87, {0x1f0f, 0x0399, 0}},      {0x1f88, {0x1f08, 0x0399, 0}},
    {0x1f89, {0x1f09, 0x0399, 0}},      {0x1f8a, {0x1f0a, 0x0399, 0}},
    {0x1f8b, {0x1f0b, 0x0399, 0}},      {0x1f8c, {0x1f0c, 0x0399, 0}},
    {0x1f8d, {0x1f0d, 0x0399, 0}},      {0x1f8e, {0x1f0e, 0x0399, 0}},
    {0x1f8f, {0x1f0f, 0x0399, 0}},      {0x1f90, {0x1f28, 0x0399, 0}},
    {0x1f91, {0x1f29, 0x0399, 0}},      {0x1f92, {0x1f2a, 0x0399, 0}},
    {0x1f93, {0x1f2b, 0x0399, 0}},      {0x1f94, {0x1f2c, 0x0399, 0}},
    {0x1f95, {0x1f2d, 0x0399, 0}},      {0x1f96, {0x1f2e, 0x0399, 0}},
    {0x1f97, {0x1f2f, 0x0399, 0}},      {0x1f98, {0x1f28, 0x0399, 0}},
    {0x1f99, {0x1f29, 0x0399, 0}},      {0x1f9a, {0x1f2a, 0x0399, 0}},
    {0x1f9b, {0x1f2b, 0x0399, 0}},      {0x1f9c, {0x1f2c, 0x0399, 0}},
    {0x1f9d, {0x1f2d, 0x0399, 0}},      {0x1f9e, {0x1f2e, 0x0399, 0}},
    {0x1f9f, {0x1f2f, 0x0399, 0}},      {0x1fa0, {0x1f68, 0x0399, 0}},
    {0x1fa1, {0x1f69, 0x0399, 0}},      {0x1fa2, {0x1f6a, 0x0399, 0}},
    {0x1fa3, {0x1f6b, 0x0399, 0}},      {0x1fa4, {0x1f6c, 0x0399, 0}},
    {0x1fa5, {0x1f6d, 0x0399, 0}},      {0x1fa6, {0x1f6e, 0x0399, 0}},
    {0x1fa7, {0x1f6f, 0x0399, 0}},      {0x1fa8, {0x1f68, 0x0399, 0}},
    {0x1fa9, {0x1f69, 0x0399, 0}},      {0x1faa, {0x1f6a, 0x0399, 0}},
    {0x1fab, {0x1f6b, 0x0399, 0}},      {0x1fac, {0x1f6c, 0x0399, 0}},
    {0x1fad, {0x1f6d, 0x0399, 0}},      {0x1fae, {0x1f6e, 0x0399, 0}},
    {0x1faf, {0x1f6f, 0x0399, 0}},      {0x1fb2, {0x1fba, 0x0399, 0}},
    {0x1fb3, {0x0391, 0x0399, 0}},      {0x1fb4, {0x0386, 0x0399, 0}},
    {0x1fb6, {0x0391, 0x0342, 0}},      {0x1fb7, {0x0391, 0x0342, 0x0399}},
    {0x1fbc, {0x0391, 0x0399, 0}},      {0x1fc2, {0x1fca, 0x0399, 0}},
    {0x1fc3, {0x0397, 0x0399, 0}},      {0x1fc4, {0x0389, 0x0399, 0}},
    {0x1fc6, {0x0397, 0x0342, 0}},      {0x1fc7, {0x0397, 0x0342, 0x0399}},
    {0x1fcc, {0x0397, 0x0399, 0}},      {0x1fd2, {0x0399, 0x0308, 0x0300}},
    {0x1fd3, {0x0399, 0x0308, 0x0301}}, {0x1fd6, {0x0399, 0x0342, 0}},
    {0x1fd7, {0x0399, 0x0308, 0x0342}}, {0x1fe2, {0x03a5, 0x0308, 0x0300}},
    {0x1fe3, {0x03a5, 0x0308, 0x0301}}, {0x1fe4, {0x03a1, 0x0313, 0}},
    {0x1fe6, {0x03a5, 0x0342, 0}},      {0x1fe7, {0x03a5, 0x0308, 0x0342}},
    {0x1ff2, {0x1ffa, 0x0399, 0}},      {0x1ff3, {0x03a9, 0x0399, 0}},
    {0x1ff4, {0x038f, 0x0399, 0}},      {0x1ff6, {0x03a9, 0x0342, 0}},
    {0x1ff7, {0x03a9, 0x0342, 0x0399}}, {0x1ffc, {0x03a9, 0x0399, 0}},
    {0xfb00, {0x0046, 0x0046, 0}},      {0xfb01, {0x0046, 0x0049, 0}},
    {0xfb02, {0x0046, 0x004c, 0}},      {0xfb03, {0x0046, 0x0046, 0x0049}},
    {0xfb04, {0x0046, 0x0046, 0x004c}}, {0xfb05, {0x0053, 0x0054, 0}},
    {0xfb06, {0x0053, 0x0054, 0}},      {0xfb13, {0x0544, 0x0546, 0}},
    {0xfb14, {0x0544, 0x0535, 0}},      {0xfb15, {0x0544, 0x053b, 0}},
    {0xfb16, {0x054e, 0x0546, 0}},      {0xfb17, {0x0544, 0x053d, 0}},
};

// The same for title case.
constexpr Expansion kTitle[] = {
    {0x00df, {0x0053, 0x0073, 0}},      {0x0149, {0x02bc, 0x004e, 0}},
    {0x01f0, {0x004a, 0x030c, 0}},      {0x0390, {0x0399, 0x0308, 0x0301}},
    {0x03b0, {0x03a5, 0x0308, 0x0301}}, {0x0587, {0x0535, 0x0582, 0}},
    {0x1e96, {0x0048, 0x0331, 0}},      {0x1e97, {0x0054, 0x0308, 0}},
    {0x1e98, {0x0057, 0x030a, 0}},      {0x1e99, {0x0059, 0x030a, 0}},
    {0x1e9a, {0x0041, 0x02be, 0}},      {0x1f50, {0x03a5, 0x0313, 0}},
    {0x1f52, {0x03a5, 0x0313, 0x0300}}, {0x1f54, {0x03a5, 0x0313, 0x0301}},
    {0x1f56, {0x03a5, 0x0313, 0x0342}}, {0x1fb2, {0x1fba, 0x0345, 0}},
    {0x1fb4, {0x0386, 0x0345, 0}},      {0x1fb6, {0x0391, 0x0342, 0}},
    {0x1fb7, {0x0391, 0x0342, 0x0345}}, {0x1fc2, {0x1fca, 0x0345, 0}},
    {0x1fc4, {0x0389, 0x0345, 0}},      {0x1fc6, {0x0397, 0x0342, 0}},
    {0x1fc7, {0x0397, 0x0342, 0x0345}}, {0x1fd2, {0x0399, 0x0308, 0x0300}},
    {0x1fd3, {0x0399, 0x0308, 0x0301}}, {0x1fd6, {0x0399, 0x0342, 0}},
    {0x1fd7, {0x0399, 0x0308, 0x0342}}, {0x1fe2, {0x03a5, 0x0308, 0x0300}},
    {0x1fe3, {0x03a5, 0x0308, 0x0301}}, {0x1fe4, {0x03a1, 0x0313, 0}},
    {0x1fe6, {0x03a5, 0x0342, 0}},      {0x1fe7, {0x03a5, 0x0308, 0x0342}},
    {0x1ff2, {0x1ffa, 0x0345, 0}},      {0x1ff4, {0x038f, 0x0345, 0}},
    {0x1ff6, {0x03a9, 0x0342, 0}},      {0x1ff7, {0x03a9, 0x0342, 0x0345}},
    {0xfb00, {0x0046, 0x0066, 0}},      {0xfb01, {0x0046, 0x0069, 0}},
    {0xfb02, {0x0046, 0x006c, 0}},      {0xfb03, {0x0046, 0x0066, 0x0069}},
    {0xfb04, {0x0046, 0x0066, 0x006c}}, {0xfb05, {0x0053, 0x0074, 0}},
    {0xfb06, {0x0053, 0x0074, 0}},      {0xfb13, {0x0544, 0x0576, 0}},
    {0xfb14, {0x0544, 0x0565, 0}},      {0xfb15, {0x0544, 0x056b, 0}},
    {0xfb16, {0x054e, 0x0576, 0}},      {0xfb17, {0x0544, 0x056d, 0}},
};

template <std::size_t kSize>
bool append_expansion(std::string& text, char32_t code, const Expansion (&table)[kSize]) {
  const Expansion* found =
      std::lower_bound(std::begin(table), std::end(table), code,
                       [](const Expansion& entry, char32_t value) { return entry.from < value; });
  if (found == std::end(table) || found->from != code) return false;
  for (const std::uint32_t part : found->to) {
    if (part != 0) append_utf8(text, part);
  }
  return true;
}

utf8proc_category_t category(char32_t code) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(code));
}

// Python's "cased": the Unicode property, near enough (letters with case, and letter-like numbers
// and symbols).
bool has_other_case(char32_t code) {
  return utf8proc_toupper(static_cast<utf8proc_int32_t>(code)) !=
             static_cast<utf8proc_int32_t>(code) ||
         utf8proc_tolower(static_cast<utf8proc_int32_t>(code)) !=
             static_cast<utf8proc_int32_t>(code);
}

// Looked through when deciding whether a sigma ends its word.
bool is_case_ignorable(char32_t code) {
  if (code < 0x80) return code == '\'' || code == '.' || code == ':' || code == '^' || code == '`';
  switch (category(code)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
      return true;
    default:
      return code == 0xb7 || code == 0x387 || code == 0x2018 || code == 0x2019 || code == 0x2024 ||
             code == 0x2027;
  }
}

}  // namespace

bool is_cased(char32_t code) {
  if (code < 0x80) return (code | 0x20) >= 'a' && (code | 0x20) <= 'z';
  return is_upper(code) || is_lower(code) || category(code) == UTF8PROC_CATEGORY_LT;
}

bool is_upper(char32_t code) {
  if (code < 0x80) return code >= 'A' && code <= 'Z';
  return category(code) == UTF8PROC_CATEGORY_LU || (code >= 0x2160 && code <= 0x216f) ||
         (code >= 0x24b6 && code <= 0x24cf);
}

bool is_lower(char32_t code) {
  if (code < 0x80) return code >= 'a' && code <= 'z';
  return category(code) == UTF8PROC_CATEGORY_LL || code == 0xaa || code == 0xba ||
         (code >= 0x2170 && code <= 0x217f) || (code >= 0x24d0 && code <= 0x24e9) ||
         (code >= 0x2b0 && code <= 0x2b8) ||
         (category(code) == UTF8PROC_CATEGORY_LM && has_other_case(code));
}

void append_upper(std::string& text, char32_t code) {
  if (code < 0x80) return text.push_back(static_cast<char>(is_lower(code) ? code - 0x20 : code));
  if (append_expansion(text, code, kUpper)) return;
  append_utf8(text, static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(code))));
}

void append_title(std::string& text, char32_t code) {
  if (code < 0x80) return append_upper(text, code);
  if (append_expansion(text, code, kTitle)) return;
  append_utf8(text, static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(code))));
}

void append_lower(std::string& text, std::string_view all, std::size_t offset) {
  std::size_t next = offset;
  const char32_t code = decode_utf8(all, next);
  if (code < 0x80) return text.push_back(static_cast<char>(is_upper(code) ? code + 0x20 : code));
  if (code == 0x130) return append_utf8(text, 'i'), append_utf8(text, 0x307);
  if (code == 0x3a3) return append_utf8(text, ends_word(all, offset, next) ? 0x3c2 : 0x3c3);
  append_utf8(text, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(code))));
}

bool ends_word(std::string_view all, std::size_t begin, std::size_t end) {
  bool letter_before = false;
  for (std::size_t at = begin; at > 0;) {
    do {
      --at;
    } while ((static_cast<unsigned char>(all[at]) & 0xc0) == 0x80);
    std::size_t next = at;
    const char32_t code = decode_utf8(all, next);
    if (is_case_ignorable(code)) continue;
    letter_before = is_cased(code);
    break;
  }
  if (!letter_before) return false;
  while (end < all.size()) {
    const char32_t code = decode_utf8(all, end);
    if (!is_case_ignorable(code)) return !is_cased(code);
  }
  return true;
}

bool is_printable(char32_t code) {
  if (code < 0x7f) return code >= 0x20;
  switch (category(code)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
      return false;
    default:
      return true;
  }
}

bool is_alpha(char32_t code) {
  if (code < 0x80) return is_cased(code);
  switch (category(code)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return true;
    default:
      return false;
  }
}

bool is_decimal(char32_t code) {
  if (code < 0x80) return code >= '0' && code <= '9';
  return category(code) == UTF8PROC_CATEGORY_ND;
}

bool is_digit(char32_t code) {
  return is_decimal(code) || code == 0xb2 || code == 0xb3 || code == 0xb9 || code == 0x2070 ||
         (code >= 0x2074 && code <= 0x2079) || (code >= 0x2080 && code <= 0x2089) ||
         (code >= 0x2460 && code <= 0x2468);
}

bool is_numeric(char32_t code) {
  if (is_digit(code)) return true;
  if (code < 0x80) return false;
  return category(code) == UTF8PROC_CATEGORY_NL || category(code) == UTF8PROC_CATEGORY_NO;
}

bool is_word(char32_t code) {
  if (code < 0x80) return is_alpha(code) || is_decimal(code) || code == '_';
  return is_alpha(code) || is_numeric(code);
}

bool continues_identifier(char32_t code) {
  if (is_word(code)) return true;
  if (code < 0x80) return false;
  const utf8proc_category_t kind = category(code);
  return kind == UTF8PROC_CATEGORY_MN || kind == UTF8PROC_CATEGORY_MC ||
         kind == UTF8PROC_CATEGORY_PC;
}

}  // namespace laurel::chat::jinja
