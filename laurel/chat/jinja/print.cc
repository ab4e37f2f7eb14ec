#include "laurel/chat/jinja/print.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "laurel/base/utf8.h"
#include "laurel/chat/jinja/callable.h"
#include "laurel/chat/jinja/case_mapping.h"
#include "laurel/chat/jinja/problem.h"

namespace laurel::chat::jinja {
namespace {

constexpr int kMaxDepth = 200;

// Appends and counts, so that values which refer to one another many times cannot fill the memory.
void put(Heap& heap, std::string& text, std::string_view part) {
  heap.charge(part.size());
  text += part;
}

void append_items(Heap& heap, std::string& text, const Array& array, int depth) {
  bool first = true;
  for (const Value& item : array.span()) {
    if (!first) put(heap, text, ", ");
    first = false;
    append_repr(heap, text, item, depth + 1);
  }
}

void append_entries(Heap& heap, std::string& text, std::span<const Entry> entries, int depth) {
  put(heap, text, "{");
  bool first = true;
  for (const Entry& entry : entries) {
    if (!first) put(heap, text, ", ");
    first = false;
    append_repr(heap, text, entry.key, depth + 1);
    put(heap, text, ": ");
    append_repr(heap, text, entry.value, depth + 1);
  }
  put(heap, text, "}");
}

void append_view(Heap& heap, std::string& text, const Value& value, int depth) {
  put(heap, text, fmt::format("{}([", type_name(value)));
  bool first = true;
  for (const Entry& entry : value.view().dict->span()) {
    if (!first) put(heap, text, ", ");
    first = false;
    switch (value.view().what) {
      case View::What::kKeys:
        append_repr(heap, text, entry.key, depth + 1);
        break;
      case View::What::kValues:
        append_repr(heap, text, entry.value, depth + 1);
        break;
      case View::What::kItems:
        put(heap, text, "(");
        append_repr(heap, text, entry.key, depth + 1);
        put(heap, text, ", ");
        append_repr(heap, text, entry.value, depth + 1);
        put(heap, text, ")");
    }
  }
  put(heap, text, "])");
}

// Digits and decimal exponent of the shortest text that reads back as the same double: d.ddd ×
// 10^exponent.
struct Digits {
  std::string digits;
  int exponent;
};

Digits shortest_digits(double value) {
  char buffer[64];
  const auto result =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  const std::string_view text(buffer, static_cast<std::size_t>(result.ptr - buffer));
  const std::size_t e = text.find('e');
  Digits digits{std::string(text.substr(0, 1)), 0};
  if (e > 2) digits.digits += text.substr(2, e - 2);
  const std::string_view exponent = text.substr(e + (text[e + 1] == '+' ? 2 : 1));
  std::from_chars(exponent.data(), exponent.data() + exponent.size(), digits.exponent);
  return digits;
}

void append_json_string(Heap& heap, std::string& text, std::string_view value, bool ensure_ascii) {
  heap.charge(value.size() + 2);
  text.push_back('"');
  for (std::size_t at = 0; at < value.size();) {
    const char32_t code = decode_utf8(value, at);
    switch (code) {
      case '"':
        text += "\\\"";
        break;
      case '\\':
        text += "\\\\";
        break;
      case '\n':
        text += "\\n";
        break;
      case '\r':
        text += "\\r";
        break;
      case '\t':
        text += "\\t";
        break;
      case '\b':
        text += "\\b";
        break;
      case '\f':
        text += "\\f";
        break;
      default:
        if (code >= 0x20 && (code < 0x7f || !ensure_ascii)) {
          append_utf8(text, code);
        } else if (code == 0x7f || code < 0x10000) {
          text += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(code));
        } else {
          const auto high = static_cast<std::uint32_t>(code - 0x10000);
          text += fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + (high >> 10), 0xdc00 + (high & 0x3ff));
        }
    }
  }
  text.push_back('"');
}

void append_json_float(std::string& text, double value) {
  if (std::isnan(value)) {
    text += "NaN";
  } else if (std::isinf(value)) {
    text += value > 0 ? "Infinity" : "-Infinity";
  } else {
    append_float(text, value);
  }
}

// The key as json.dumps writes it.
std::string_view json_key(Heap& heap, const Value& key) {
  switch (key.kind()) {
    case Kind::kString:
      return key.as_string();
    case Kind::kBool:
      return key.as_bool() ? "true" : "false";
    case Kind::kNone:
      return "null";
    case Kind::kInt:
      return to_str(heap, key);
    case Kind::kFloat: {
      std::string text;
      append_json_float(text, key.as_double());
      return heap.keep(text);
    }
    default:
      fail("tojson: a key must be a string, a number, true, false or none, got {}", type_name(key));
  }
}

void new_line(Heap& heap, std::string& text, const JsonStyle& style, int depth) {
  if (!style.indent) return;
  put(heap, text, "\n");
  for (int i = 0; i < depth; ++i) put(heap, text, *style.indent);
}

void append_json_list(Heap& heap, std::string& text, const Array& array, const JsonStyle& style,
                      int depth) {
  if (array.size == 0) return put(heap, text, "[]");
  put(heap, text, "[");
  bool first = true;
  for (const Value& item : array.span()) {
    if (!first) put(heap, text, style.item_separator);
    first = false;
    new_line(heap, text, style, depth + 1);
    append_json(heap, text, item, style, depth + 1);
  }
  new_line(heap, text, style, depth);
  put(heap, text, "]");
}

void append_json_dict(Heap& heap, std::string& text, const Dict& dict, const JsonStyle& style,
                      int depth) {
  if (dict.size == 0) return put(heap, text, "{}");
  std::vector<Entry> entries(dict.span().begin(), dict.span().end());
  if (style.sort_keys) {
    std::stable_sort(entries.begin(), entries.end(),
                     [&](const Entry& a, const Entry& b) { return less(heap, a.key, b.key); });
  }
  put(heap, text, "{");
  bool first = true;
  for (const Entry& entry : entries) {
    if (!first) put(heap, text, style.item_separator);
    first = false;
    new_line(heap, text, style, depth + 1);
    append_json_string(heap, text, json_key(heap, entry.key), style.ensure_ascii);
    put(heap, text, style.key_separator);
    append_json(heap, text, entry.value, style, depth + 1);
  }
  new_line(heap, text, style, depth);
  put(heap, text, "}");
}

}  // namespace

void append_float(std::string& text, double value) {
  if (std::isnan(value)) return void(text += "nan");
  if (std::isinf(value)) return void(text += value > 0 ? "inf" : "-inf");
  if (std::signbit(value)) text.push_back('-');
  const auto [digits, exponent] = shortest_digits(std::abs(value));
  if (exponent < -4 || exponent >= 16) {
    text += digits[0];
    if (digits.size() > 1) text += '.' + digits.substr(1);
    text += fmt::format("e{}{:02}", exponent < 0 ? '-' : '+', std::abs(exponent));
  } else if (exponent < 0) {
    text += "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  } else {
    const auto whole = static_cast<std::size_t>(exponent) + 1;
    if (digits.size() <= whole) {
      text += digits + std::string(whole - digits.size(), '0') + ".0";
    } else {
      text += digits.substr(0, whole) + '.' + digits.substr(whole);
    }
  }
}

void append_repr(std::string& text, std::string_view value) {
  const bool has_single = value.find('\'') != std::string_view::npos;
  const char quote = has_single && value.find('"') == std::string_view::npos ? '"' : '\'';
  text.push_back(quote);
  for (std::size_t at = 0; at < value.size();) {
    const std::size_t begin = at;
    const char32_t code = decode_utf8(value, at);
    if (code == static_cast<char32_t>(quote) || code == '\\') {
      text += '\\';
      text += static_cast<char>(code);
    } else if (code == '\n') {
      text += "\\n";
    } else if (code == '\r') {
      text += "\\r";
    } else if (code == '\t') {
      text += "\\t";
    } else if (is_printable(code)) {
      text += value.substr(begin, at - begin);
    } else if (code < 0x100) {
      text += fmt::format("\\x{:02x}", static_cast<std::uint32_t>(code));
    } else if (code < 0x10000) {
      text += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(code));
    } else {
      text += fmt::format("\\U{:08x}", static_cast<std::uint32_t>(code));
    }
  }
  text.push_back(quote);
}

void append_repr(Heap& heap, std::string& text, const Value& value, int depth) {
  if (depth > kMaxDepth)
    fail(ErrorKind::kLimit, "values are nested deeper than {} levels", kMaxDepth);
  switch (value.kind()) {
    case Kind::kUndefined:
      return put(heap, text, "Undefined");
    case Kind::kString:
      heap.charge(value.as_string().size());
      return append_repr(text, value.as_string());
    case Kind::kList:
      put(heap, text, "[");
      append_items(heap, text, value.array(), depth);
      return put(heap, text, "]");
    case Kind::kTuple:
      put(heap, text, "(");
      append_items(heap, text, value.array(), depth);
      return put(heap, text, value.array().size == 1 ? ",)" : ")");
    case Kind::kDict:
      return append_entries(heap, text, value.dict().span(), depth);
    case Kind::kView:
      return append_view(heap, text, value, depth);
    case Kind::kNamespace:
      put(heap, text, "<Namespace ");
      append_entries(heap, text, value.name_space().span(), depth);
      return put(heap, text, ">");
    default:
      return append_str(heap, text, value);
  }
}

void append_str(Heap& heap, std::string& text, const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return;
    case Kind::kNone:
      return put(heap, text, "None");
    case Kind::kBool:
      return put(heap, text, value.as_bool() ? "True" : "False");
    case Kind::kInt:
      return put(heap, text, fmt::format_int(value.as_int()).c_str());
    case Kind::kFloat:
      heap.charge(24);
      return append_float(text, value.as_double());
    case Kind::kString:
      return put(heap, text, value.as_string());
    case Kind::kRange: {
      const Range& range = value.range();
      put(heap, text, fmt::format("range({}, {}", range.start, range.stop));
      return put(heap, text, range.step == 1 ? std::string(")") : fmt::format(", {})", range.step));
    }
    case Kind::kCallable:
      return put(heap, text, fmt::format("<{}>", value.callable().name()));
    case Kind::kIterator:
    case Kind::kLoop:
      return put(heap, text, fmt::format("<{}>", type_name(value)));
    default:
      return append_repr(heap, text, value);
  }
}

std::string_view to_str(Heap& heap, const Value& value) {
  if (value.is(Kind::kString)) return value.as_string();
  std::string text;
  append_str(heap, text, value);
  return heap.keep(text);
}

void append_json(Heap& heap, std::string& text, const Value& value, const JsonStyle& style,
                 int depth) {
  if (depth > kMaxDepth)
    fail(ErrorKind::kLimit, "values are nested deeper than {} levels", kMaxDepth);
  switch (value.kind()) {
    case Kind::kNone:
      return put(heap, text, "null");
    case Kind::kBool:
      return put(heap, text, value.as_bool() ? "true" : "false");
    case Kind::kInt:
      return append_str(heap, text, value);
    case Kind::kFloat:
      heap.charge(24);
      return append_json_float(text, value.as_double());
    case Kind::kString:
      return append_json_string(heap, text, value.as_string(), style.ensure_ascii);
    case Kind::kList:
    case Kind::kTuple:
      return append_json_list(heap, text, value.array(), style, depth);
    case Kind::kDict:
      return append_json_dict(heap, text, value.dict(), style, depth);
    default:
      fail("tojson: an object of type {} has no JSON form", type_name(value));
  }
}

}  // namespace laurel::chat::jinja
