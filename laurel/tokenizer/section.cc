#include "laurel/tokenizer/section.h"

#include <fmt/format.h>

#include "laurel/base/error.h"

namespace laurel::tokenizer {
namespace {

template <typename T>
T require_value(std::optional<T> value, std::string_view key, const std::string& where) {
  if (!value) throw UserError("{}: key \"{}\" is missing", where, key);
  return *std::move(value);
}

}  // namespace

std::string type_of(const Json& section, const std::string& where) {
  if (!section.is_object())
    throw UserError("{}: expected an object, got {}", where, section.type_name());
  return require_string(section, "type", where);
}

void refuse_type(const std::string& type, std::string_view supported, const std::string& where) {
  throw UserError("{}: type \"{}\" is not supported, expected one of {}", where, type, supported);
}

const Json& require(const Json& object, std::string_view key, const std::string& where) {
  if (!object.is_object())
    throw UserError("{}: expected an object, got {}", where, object.type_name());
  const auto found = object.find(std::string(key));
  if (found == object.end()) throw UserError("{}: key \"{}\" is missing", where, key);
  return *found;
}

const Json& require_array(const Json& object, std::string_view key, const std::string& where) {
  const Json& value = require(object, key, where);
  if (!value.is_array()) {
    throw UserError("{}: key \"{}\": expected an array, got {}", where, key, value.type_name());
  }
  return value;
}

std::string require_string(const Json& object, std::string_view key, const std::string& where) {
  return require_value(get_string(object, key, where), key, where);
}

bool require_bool(const Json& object, std::string_view key, const std::string& where) {
  return require_value(get_bool(object, key, where), key, where);
}

std::int64_t require_int(const Json& object, std::string_view key, const std::string& where) {
  return require_value(get_int(object, key, where), key, where);
}

PatternText read_pattern(const Json& object, const std::string& where) {
  const Json& pattern = require(object, "pattern", where);
  if (const auto regex = get_string(pattern, "Regex", where)) return {*regex, true};
  if (const auto text = get_string(pattern, "String", where)) return {*text, false};
  throw UserError("{}: key \"pattern\": expected {{\"Regex\": …}} or {{\"String\": …}}", where);
}

Regex compile_pattern(const PatternText& pattern, const std::string& where) {
  return pattern.is_regex ? Regex(pattern.text, where) : Regex::literal(pattern.text, where);
}

}  // namespace laurel::tokenizer
