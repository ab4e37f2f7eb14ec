#include "laurel/bench/row_fields.h"

#include "laurel/base/error.h"

namespace laurel::bench {

const Json& required(const Row& row, std::string_view key) {
  const auto found = row.object.find(std::string(key));
  if (found == row.object.end() || found->is_null()) {
    throw UserError("{}: key \"{}\" is missing", row.where, key);
  }
  return *found;
}

std::string required_string(const Row& row, std::string_view key) {
  required(row, key);
  return *get_string(row.object, key, row.where);
}

std::vector<std::string> required_strings(const Row& row, std::string_view key) {
  const Json& list = required(row, key);
  if (!list.is_array() || list.empty()) {
    throw UserError("{}: key \"{}\": expected a list of strings with at least one entry, got {}",
                    row.where, key, list.is_array() ? "an empty list" : list.type_name());
  }
  std::vector<std::string> strings;
  strings.reserve(list.size());
  for (const Json& item : list) {
    if (!item.is_string()) {
      throw UserError("{}: key \"{}\": entry {}: expected a string, got {}", row.where, key,
                      strings.size() + 1, item.type_name());
    }
    strings.push_back(item.get<std::string>());
  }
  return strings;
}

std::string required_id(const Row& row) {
  const Json& id = required(row, "id");
  if (id.is_string()) return id.get<std::string>();
  if (id.is_number_integer()) return id.dump();
  throw UserError("{}: key \"id\": expected a string or an integer, got {}", row.where,
                  id.type_name());
}

void check_count(const Row& row, std::string_view key, std::size_t expected) {
  const auto count = get_int(row.object, key, row.where);
  if (count && *count != static_cast<std::int64_t>(expected)) {
    throw UserError("{}: key \"{}\": does not fit the lists, expected {}, got {}", row.where, key,
                    expected, *count);
  }
}

}  // namespace laurel::bench
