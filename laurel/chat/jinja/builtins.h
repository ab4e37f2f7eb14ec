// Filters, tests and global functions by name.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "laurel/chat/jinja/callable.h"

namespace laurel::chat::jinja {

// positional[0] is the value left of the bar or of `is`.
using Filter = Value (*)(Runtime& runtime, const Arguments& arguments);
using Test = bool (*)(Runtime& runtime, const Arguments& arguments);

// Null if there is none of that name.
Filter find_filter(std::string_view name);
Test find_test(std::string_view name);

// range, dict, namespace, raise_exception, strftime_now, …
std::optional<Value> find_global(Runtime& runtime, std::string_view name);

// strftime of a date ("YYYY-MM-DD") at midnight, in the C locale.
std::string format_date(std::string_view date, std::string_view format);

}  // namespace laurel::chat::jinja
