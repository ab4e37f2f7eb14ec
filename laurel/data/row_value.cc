#include "laurel/data/row_value.h"

#include <array>
#include <utility>

#include "laurel/base/error.h"

namespace laurel::data {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kRoles = {{
    {"human", "user"},
    {"user", "user"},
    {"gpt", "assistant"},
    {"assistant", "assistant"},
    {"chatgpt", "assistant"},
    {"bing", "assistant"},
    {"system", "system"},
    {"observation", "tool"},
    {"tool", "tool"},
}};

}  // namespace

const Json* find_member(const Json& row, std::string_view key) {
  const auto found = row.find(std::string(key));
  return found == row.end() || found->is_null() ? nullptr : &*found;
}

const Json& required_member(const Json& row, std::string_view key, std::string_view where) {
  const Json* value = find_member(row, key);
  if (value == nullptr) throw UserError("{}: missing key \"{}\"", where, key);
  return *value;
}

std::string place_of(std::string_view where, std::string_view key) {
  return fmt::format("{}: key \"{}\"", where, key);
}

std::vector<std::int32_t> token_ids(const Json& list, std::string_view where) {
  if (!list.is_array() || list.empty()) {
    throw UserError("{}: expected a list of at least one token id, got {}", where,
                    list.is_array() ? "an empty list" : list.type_name());
  }
  std::vector<std::int32_t> ids;
  ids.reserve(list.size());
  for (const Json& item : list) {
    if (!item.is_number_integer() || item < 0 || item > INT32_MAX)
      throw UserError("{}: expected token ids, got {}", where, to_line(item));
    ids.push_back(item.get<std::int32_t>());
  }
  return ids;
}

schema::Message sharegpt_message(const Json& turn, std::string_view where) {
  if (!turn.is_object()) {
    throw UserError("{}: expected an object with from and value, got {}", where, turn.type_name());
  }
  const std::string from = get_string(turn, "from", where).value_or("");
  const auto value = get_string(turn, "value", where);
  if (!value) throw UserError("{}: missing key \"value\"", where);
  for (const auto& [name, role] : kRoles) {
    if (name == from) return {std::string(role), *value, Json::object()};
  }
  throw UserError("{}: key \"from\": expected human, gpt, system or observation, got \"{}\"", where,
                  from);
}

Json list_or_json_text(const Json& value, std::string_view where) {
  Json list = value.is_string() ? parse_json(value.get_ref<const std::string&>(), where) : value;
  if (!list.is_array()) throw UserError("{}: expected a list, got {}", where, list.type_name());
  return list;
}

}  // namespace laurel::data
