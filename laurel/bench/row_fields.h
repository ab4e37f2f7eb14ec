// Required members of a data row. Each throws a UserError naming file, row and key.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "laurel/formats/row_source.h"

namespace laurel::bench {

using formats::Row;

const Json& required(const Row& row, std::string_view key);
std::string required_string(const Row& row, std::string_view key);
std::vector<std::string> required_strings(const Row& row, std::string_view key);
// A string, or an integer as its decimal text.
std::string required_id(const Row& row);
// If the row has `key`, it must be the integer `expected`.
void check_count(const Row& row, std::string_view key, std::size_t expected);

}  // namespace laurel::bench
