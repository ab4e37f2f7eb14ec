#include "laurel/base/json_reader.h"

#include <algorithm>
#include <limits>

#include "laurel/base/error.h"
#include "laurel/base/nearest.h"

namespace laurel {

JsonReader::JsonReader(const Json& object, std::string where)
    : object_(&object), where_(std::move(where)) {
  if (!object.is_object()) {
    throw UserError("{}: expected an object, got {}", where_, object.type_name());
  }
}

void JsonReader::read(std::string_view key, std::string& value) const {
  if (auto found = get_string(*object_, key, where_)) value = std::move(*found);
}

void JsonReader::read(std::string_view key, std::int64_t& value) const {
  if (const auto found = get_int(*object_, key, where_)) value = *found;
}

void JsonReader::read(std::string_view key, int& value) const {
  const auto found = get_int(*object_, key, where_);
  if (!found) return;
  if (*found < std::numeric_limits<int>::min() || *found > std::numeric_limits<int>::max()) {
    throw UserError("{}: key \"{}\": expected a 32-bit integer, got {}", where_, key, *found);
  }
  value = static_cast<int>(*found);
}

void JsonReader::read(std::string_view key, double& value) const {
  if (const auto found = get_number(*object_, key, where_)) value = *found;
}

void JsonReader::read(std::string_view key, bool& value) const {
  if (const auto found = get_bool(*object_, key, where_)) value = *found;
}

void JsonReader::read(std::string_view key, std::vector<std::string>& value) const {
  const Json& found = get(key);
  if (found.is_null()) return;
  const Json items = found.is_array() ? found : Json::array({found});
  std::vector<std::string> texts;
  for (const Json& item : items) {
    if (!item.is_string()) {
      throw UserError("{}: key \"{}\": expected strings, got {}", where_, key, to_line(item));
    }
    texts.push_back(item.get<std::string>());
  }
  value = std::move(texts);
}

bool JsonReader::has(std::string_view key) const { return !get(key).is_null(); }

const Json& JsonReader::get(std::string_view key) const {
  static const Json kNull;
  const auto found = object_->find(std::string(key));
  return found == object_->end() ? kNull : *found;
}

JsonReader JsonReader::child(std::string_view key) const {
  return {get(key), fmt::format("{}: {}", where_, key)};
}

std::vector<JsonReader> JsonReader::children(std::string_view key) const {
  const Json& items = get(key);
  std::vector<JsonReader> readers;
  if (items.is_null()) return readers;
  if (!items.is_array()) {
    throw UserError("{}: key \"{}\": expected an array, got {}", where_, key, items.type_name());
  }
  for (std::size_t i = 0; i < items.size(); ++i) {
    readers.emplace_back(items[i], fmt::format("{}: {}[{}]", where_, key, i));
  }
  return readers;
}

void JsonReader::allow_only(std::span<const std::string> keys) const {
  for (const auto& [key, unused] : object_->items()) {
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
    const std::string hint = nearest_name(key, keys);
    throw UserError("{}: unknown key \"{}\"{}", where_, key,
                    hint.empty() ? fmt::format(", expected one of {}", fmt::join(keys, ", "))
                                 : fmt::format("; did you mean {}?", hint));
  }
}

}  // namespace laurel
