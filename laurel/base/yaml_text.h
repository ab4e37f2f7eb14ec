// JSON values as YAML text for people: front matter of cards, configuration files.
#pragma once

#include <string>

#include "laurel/base/json.h"

namespace laurel {

// Block style, ends with a newline. Every YAML 1.1 or 1.2 reader gives the same values back:
// strings that could be read as something else are double-quoted, those of several lines are
// literal blocks where that is exact. Invalid UTF-8 becomes U+FFFD.
std::string to_yaml(const Json& value);

}  // namespace laurel
