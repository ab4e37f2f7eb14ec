// YAML of configuration size as JSON values, by the core schema of YAML 1.2 (chapter 10.3): plain
// scalars are null, booleans, integers or floats where they look so ("3e-6" is a number, "yes" is a
// string), quoted ones are strings.
#pragma once

#include <filesystem>
#include <string_view>

#include "laurel/base/json.h"

namespace laurel::formats {

// One document; an empty one is null. Keys keep the order of the file. Throws UserError
// `<where>:<line>: …` for invalid YAML, a key given twice or one that is no scalar, other tags than
// !!str, infinities and NaN, integers beyond 64 bits, and more than 100,000 values (aliases count
// wherever they are used) or 100 levels.
Json parse_yaml(std::string_view text, std::string_view where);
Json read_yaml_file(const std::filesystem::path& path);

}  // namespace laurel::formats
