// Values as text: Python's str(), repr() and json.dumps().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "laurel/chat/jinja/value.h"

namespace laurel::chat::jinja {

// str(value), appended.
void append_str(Heap& heap, std::string& text, const Value& value);
// str(value); the text of a string is not copied.
std::string_view to_str(Heap& heap, const Value& value);
void append_repr(Heap& heap, std::string& text, const Value& value, int depth = 0);

void append_float(std::string& text, double value);
void append_repr(std::string& text, std::string_view value);

struct JsonStyle {
  bool ensure_ascii = false;
  std::optional<std::string> indent;  // one level's indentation; nullopt: all on one line
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool sort_keys = false;
};

// json.dumps(value), appended. A Problem for what JSON cannot hold.
void append_json(Heap& heap, std::string& text, const Value& value, const JsonStyle& style,
                 int depth = 0);

}  // namespace laurel::chat::jinja
