// Unicode normal forms C and D as tokenizers 0.22.2 computes them: its tables are Unicode 9.0, so
// that later marks are neither reordered nor composed.
#pragma once

#include <string>
#include <string_view>

namespace laurel::tokenizer {

// Precondition of both: valid UTF-8.
std::string to_nfc(std::string_view text);
std::string to_nfd(std::string_view text);

}  // namespace laurel::tokenizer
