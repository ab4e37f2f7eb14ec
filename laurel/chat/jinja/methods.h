// Attributes and methods of builtin types.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "laurel/chat/jinja/runtime.h"

namespace laurel::chat::jinja {

// Python's getattr(value, name) in the sandbox, or nullopt if there is no such attribute. Methods
// that change their object and private attributes give an undefined value whose use is a
// SecurityError.
std::optional<Value> attribute(Runtime& runtime, const Value& value, std::string_view name);

// Whether dicts have an attribute of this name, so that looking for an item must wait.
bool is_dict_attribute(std::string_view name);

// Calls loop(…) of a recursive loop.
Value call_loop(Runtime& runtime, const Value& loop, const Arguments& arguments);

// str.replace; any number of times if `most` is negative.
Value replace_text(Runtime& runtime, std::string_view text, std::string_view old,
                   std::string_view fresh, std::int64_t most);

}  // namespace laurel::chat::jinja
