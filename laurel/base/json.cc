#include "laurel/base/json.h"

#include <vector>

#include "laurel/base/error.h"
#include "laurel/base/file.h"

namespace laurel {
namespace {

constexpr int kMaxDepth = 256;
// An ordered object looks its keys up one by one, so that inserting n of them takes n² / 2
// comparisons.
constexpr std::int64_t kMaxKeys = 20'000;
constexpr std::size_t kShownValue = 60;

// The member, or null when it is absent or JSON null.
const Json* find_value(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(std::string(key));
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

[[noreturn]] void wrong_type(const Json& value, std::string_view key, std::string_view where,
                             std::string_view expected) {
  std::string shown = to_line(value);
  if (shown.size() > kShownValue) {
    std::size_t cut = kShownValue;
    while ((static_cast<unsigned char>(shown[cut]) & 0xc0) == 0x80)
      --cut;  // not within a character
    shown = shown.substr(0, cut) + "…";
  }
  throw UserError("{}: key \"{}\": expected {}, got {}", where, key, expected, shown);
}

}  // namespace

Json parse_json(std::string_view text, std::string_view where) {
  std::vector<std::int64_t> num_keys;  // of the objects that are open
  const auto within_limits = [&](int depth, Json::parse_event_t event, Json&) {
    if (depth > kMaxDepth) {
      throw UserError("{}: JSON nested deeper than {} levels", where, kMaxDepth);
    }
    if (event == Json::parse_event_t::object_start) num_keys.push_back(0);
    if (event == Json::parse_event_t::object_end) num_keys.pop_back();
    if (event == Json::parse_event_t::key && ++num_keys.back() > kMaxKeys) {
      throw UserError("{}: JSON object with more than {} keys", where, kMaxKeys);
    }
    return true;
  };
  try {
    return Json::parse(text, within_limits);
  } catch (const Json::parse_error& error) {
    throw UserError("{}: invalid JSON at byte {}", where, error.byte);
  } catch (const Json::exception& error) {  // a number out of range
    throw UserError("{}: invalid JSON: {}", where, error.what());
  }
}

Json read_json_file(const std::filesystem::path& path) {
  return parse_json(read_file(path), path.string());
}

std::optional<std::int64_t> get_int(const Json& object, std::string_view key,
                                    std::string_view where) {
  const Json* value = find_value(object, key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number_integer()) wrong_type(*value, key, where, "an integer");
  if (value->is_number_unsigned() && value->get<std::uint64_t>() > INT64_MAX) {
    wrong_type(*value, key, where, "an integer below 2^63");
  }
  return value->get<std::int64_t>();
}

std::optional<double> get_number(const Json& object, std::string_view key, std::string_view where) {
  const Json* value = find_value(object, key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number()) wrong_type(*value, key, where, "a number");
  return value->get<double>();
}

std::optional<bool> get_bool(const Json& object, std::string_view key, std::string_view where) {
  const Json* value = find_value(object, key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean()) wrong_type(*value, key, where, "true or false");
  return value->get<bool>();
}

std::optional<std::string> get_string(const Json& object, std::string_view key,
                                      std::string_view where) {
  const Json* value = find_value(object, key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) wrong_type(*value, key, where, "a string");
  return value->get<std::string>();
}

std::string to_line(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string to_text(const Json& value) {
  return value.dump(4, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace laurel
