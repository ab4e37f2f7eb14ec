#include "laurel/base/yaml_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <vector>

#include "laurel/base/utf8.h"

namespace laurel {
namespace {

constexpr std::size_t kIndent = 2;

// Words that some reader takes for a boolean or null.
bool is_reserved(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const std::string_view word :
       {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}) {
    if (lower == word) return true;
  }
  return false;
}

// Whether every reader takes the bare text for this very string. Numbers and dates begin with a
// digit, so that no text that does is plain.
bool is_plain(std::string_view text) {
  if (text.empty() || text.back() == ' ' || text.back() == ':' || is_reserved(text)) return false;
  const auto first = static_cast<unsigned char>(text.front());
  if (!std::isalpha(first) && first != '/') return false;
  if (text.find(": ") != text.npos || text.find(" #") != text.npos) return false;
  return std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) ||
           (c != 0 && std::string_view(" _-./:@+()=,;'").find(static_cast<char>(c)) !=
                          std::string_view::npos);
  });
}

bool must_be_escaped(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || c == 0xfeff ||
         (c & 0xfffe) == 0xfffe;
}

std::string valid_utf8(std::string text) {
  for (std::size_t at = find_invalid_utf8(text); at != text.npos; at = find_invalid_utf8(text)) {
    text.replace(at, 1, "\xef\xbf\xbd");
  }
  return text;
}

std::vector<char32_t> code_points(std::string_view text) {
  std::vector<char32_t> points;
  for (std::size_t at = 0; at < text.size();) points.push_back(decode_utf8(text, at));
  return points;
}

std::string double_quoted(std::string_view text) {
  std::string result = "\"";
  for (const char32_t c : code_points(text)) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += static_cast<char>(c);
    } else if (c == '\n') {
      result += "\\n";
    } else if (c == '\t') {
      result += "\\t";
    } else if (must_be_escaped(c)) {
      result += fmt::format("\\U{:08x}", static_cast<std::uint32_t>(c));
    } else {
      append_utf8(result, c);
    }
  }
  return result + "\"";
}

// Several lines that a literal block holds exactly.
bool is_block(std::string_view text) {
  if (text.find('\n') == text.npos || text.front() == ' ' || text.front() == '\n') return false;
  if (text.ends_with("\n\n")) return false;
  for (const char32_t c : code_points(text)) {
    if (c != '\n' && (must_be_escaped(c))) return false;
  }
  return true;
}

std::string block(std::string_view text, std::size_t indent) {
  std::string result = text.back() == '\n' ? "|" : "|-";
  if (text.back() == '\n') text.remove_suffix(1);
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    result += '\n';
    if (end > begin) result += std::string(indent, ' ');
    result += text.substr(begin, end - begin);
    begin = end + 1;
  }
  return result;
}

// With a point, without which readers of YAML 1.1 take "3e-06" for a string and "3" for an integer.
std::string number_text(double value) {
  std::string text = fmt::format("{}", value);
  if (text.find('.') == text.npos) text.insert(std::min(text.find('e'), text.size()), ".0");
  return text;
}

std::string key_text(const std::string& key) {
  return is_plain(key) ? key : double_quoted(valid_utf8(key));
}

std::string string_text(const std::string& raw, std::size_t indent) {
  if (is_plain(raw)) return raw;
  const std::string text = valid_utf8(raw);
  return is_block(text) ? block(text, indent) : double_quoted(text);
}

std::string scalar_text(const Json& value, std::size_t indent) {
  if (value.is_string()) return string_text(value.get_ref<const std::string&>(), indent);
  if (value.is_number_float()) return number_text(value.get<double>());
  return value.dump();  // also "[]" and "{}"
}

bool is_nested(const Json& value) { return value.is_structured() && !value.empty(); }

void append(const Json& value, std::size_t indent, std::string& text);

// A member or item after its "key:" or "-".
void append_after(std::string_view head, const Json& value, std::size_t indent, std::string& text) {
  text += head;
  if (!is_nested(value)) {
    text += " " + scalar_text(value, indent + kIndent) + "\n";
    return;
  }
  text += '\n';
  append(value, indent + kIndent, text);
}

void append(const Json& value, std::size_t indent, std::string& text) {
  const std::string margin(indent, ' ');
  if (value.is_object()) {
    for (const auto& [key, member] : value.items()) {
      append_after(margin + key_text(key) + ":", member, indent, text);
    }
    return;
  }
  for (const Json& item : value) {
    if (!item.is_object() || item.empty()) {
      append_after(margin + "-", item, indent, text);
      continue;
    }
    std::string members;
    append(item, indent + kIndent, members);
    text += margin + "- " + members.substr(indent + kIndent);
  }
}

}  // namespace

std::string to_yaml(const Json& value) {
  if (!is_nested(value)) return scalar_text(value, kIndent) + "\n";
  std::string text;
  append(value, 0, text);
  return text;
}

}  // namespace laurel
