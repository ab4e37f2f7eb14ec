// UTF-8 as Unicode defines it: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace laurel {

// Offset of the first byte that does not begin a valid sequence, or npos when all of `text` is
// valid.
std::size_t find_invalid_utf8(std::string_view text);

// Decodes the code point at `offset` and advances past it. Precondition: valid UTF-8, offset <
// size.
inline char32_t decode_utf8(std::string_view text, std::size_t& offset) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[offset + i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return offset += 1, static_cast<char32_t>(lead);
  char32_t code;
  if (lead < 0xe0) {
    code = static_cast<char32_t>((lead & 0x1f) << 6 | (byte(1) & 0x3f));
    offset += 2;
  } else if (lead < 0xf0) {
    code = static_cast<char32_t>((lead & 0x0f) << 12 | (byte(1) & 0x3f) << 6 | (byte(2) & 0x3f));
    offset += 3;
  } else {
    code = static_cast<char32_t>((lead & 0x07) << 18 | (byte(1) & 0x3f) << 12 |
                                 (byte(2) & 0x3f) << 6 | (byte(3) & 0x3f));
    offset += 4;
  }
  return code;
}

// Appends the code point. Precondition: a Unicode scalar value.
void append_utf8(std::string& text, char32_t code);

}  // namespace laurel
