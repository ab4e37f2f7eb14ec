// The hint for a misspelt name.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace laurel {

// The known name nearest to the word by single-character edits; empty when none is within two edits
// or a third of the word's length.
std::string nearest_name(std::string_view word, std::span<const std::string> known);

}  // namespace laurel
