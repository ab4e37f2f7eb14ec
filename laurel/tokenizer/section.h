// Reading a section of tokenizer.json: objects told apart by their "type". All functions throw
// UserError, naming `where` and the key.
#pragma once

#include <string>
#include <string_view>

#include "laurel/base/json.h"
#include "laurel/tokenizer/regex.h"

namespace laurel::tokenizer {

// The "type" of an object.
std::string type_of(const Json& section, const std::string& where);
[[noreturn]] void refuse_type(const std::string& type, std::string_view supported,
                              const std::string& where);

// Members that must be there.
const Json& require(const Json& object, std::string_view key, const std::string& where);
const Json& require_array(const Json& object, std::string_view key, const std::string& where);
std::string require_string(const Json& object, std::string_view key, const std::string& where);
bool require_bool(const Json& object, std::string_view key, const std::string& where);
std::int64_t require_int(const Json& object, std::string_view key, const std::string& where);

// {"Regex": …} or {"String": …}.
struct PatternText {
  std::string text;
  bool is_regex = false;
};
PatternText read_pattern(const Json& object, const std::string& where);
Regex compile_pattern(const PatternText& pattern, const std::string& where);

}  // namespace laurel::tokenizer
