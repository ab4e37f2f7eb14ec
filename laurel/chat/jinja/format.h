// Python's two ways to fill in a text.
#pragma once

#include <string_view>

#include "laurel/chat/jinja/runtime.h"

namespace laurel::chat::jinja {

// format % values: a tuple gives several values, a dict named ones.
Value format_percent(Runtime& runtime, std::string_view format, const Value& values);
// format.format(…).
Value format_braces(Runtime& runtime, std::string_view format, const Arguments& arguments);

}  // namespace laurel::chat::jinja
