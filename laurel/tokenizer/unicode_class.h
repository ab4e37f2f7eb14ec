// Character properties exactly as tokenizers 0.22.2 has them: its regex classes are Unicode 16.0,
// its `Digits` 17.0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace laurel::tokenizer {

enum CharFlag : std::uint8_t {
  kLetter = 1,   // \p{L}
  kNumber = 2,   // \p{N}
  kSpace = 4,    // \s
  kNumeric = 8,  // what `Digits` splits at
  kWord = 16,    // what stops a single_word token beside it
  kUpper = 32,   // \p{Lu}, \p{Lt}
  kLower = 64,   // \p{Ll}
  kMark = 128,   // \p{M}
};

// Two-level table: flags of code point c are pages[index[c >> 8] * 256 + (c & 255)].
class CharFlags {
 public:
  std::uint8_t operator()(char32_t code) const {
    return pages_[static_cast<std::size_t>(index_[code >> 8]) * 256 + (code & 255)];
  }

 private:
  friend const CharFlags& char_flags();
  CharFlags();
  std::uint16_t index_[0x110000 / 256];
  std::vector<std::uint8_t> pages_;
};

// Built on first use from the generated ranges.
const CharFlags& char_flags();

}  // namespace laurel::tokenizer
