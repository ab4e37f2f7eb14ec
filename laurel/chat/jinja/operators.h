// Python's operators on values.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "laurel/chat/jinja/runtime.h"

namespace laurel::chat::jinja {

enum class BinaryOperator { kAdd, kSubtract, kMultiply, kDivide, kFloorDivide, kModulo, kPower };

// bool(value).
bool truthy(Runtime& runtime, const Value& value);
Value binary(Runtime& runtime, BinaryOperator op, const Value& a, const Value& b);
Value negate(const Value& value);
Value plus(const Value& value);

// item in container.
bool contains(Runtime& runtime, const Value& container, const Value& item);

// An iterator over the value's items; a Problem if it has none.
Iterator& iterate(Runtime& runtime, const Value& value);
bool is_iterable(const Value& value);
// All items.
std::vector<Value> collect(Runtime& runtime, const Value& value);

// len(value), or nullopt if it has no length.
std::optional<std::int64_t> length(Runtime& runtime, const Value& value);

// value[key] of the sandbox: the item, else the attribute, else undefined.
Value get_item(Runtime& runtime, const Value& value, const Value& key);
// value.name: the attribute, else the item, else undefined.
Value get_attribute(Runtime& runtime, const Value& value, std::string_view name);
// value[start:stop:step]; none for parts left out.
Value slice(Runtime& runtime, const Value& value, const Value& start, const Value& stop,
            const Value& step);

Value undefined_attribute(Heap& heap, const Value& value, std::string_view name,
                          bool unsafe = false);
Value undefined_hint(Heap& heap, std::string_view text);

Value make_range(Runtime& runtime, std::int64_t start, std::int64_t stop, std::int64_t step);

}  // namespace laurel::chat::jinja
