// JSON of configuration size: keys keep the order of the file. For large inputs use simdjson
// directly.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace laurel {

using Json = nlohmann::ordered_json;

// Parses strict UTF-8 JSON, at most 256 levels deep and 20,000 keys an object. `where` names the
// input in the UserError's text.
Json parse_json(std::string_view text, std::string_view where);
Json read_json_file(const std::filesystem::path& path);

// Typed members of an object. A missing key or JSON null gives nullopt; a value of another type is
// a UserError `<where>: key "<key>": expected <type>, got <value>`.
std::optional<std::int64_t> get_int(const Json& object, std::string_view key,
                                    std::string_view where);
std::optional<double> get_number(const Json& object, std::string_view key, std::string_view where);
std::optional<bool> get_bool(const Json& object, std::string_view key, std::string_view where);
std::optional<std::string> get_string(const Json& object, std::string_view key,
                                      std::string_view where);

// One line, UTF-8 kept as is, invalid bytes replaced by U+FFFD.
std::string to_line(const Json& value);
// Indented by four spaces, for files that people read.
std::string to_text(const Json& value);

}  // namespace laurel
