#include "laurel/base/utf8.h"

namespace laurel {

std::size_t find_invalid_utf8(std::string_view text) {
  std::size_t i = 0;
  const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(text[k]); };
  const auto continues = [&](std::size_t k) { return k < text.size() && (byte(k) & 0xc0) == 0x80; };
  while (i < text.size()) {
    const unsigned char lead = byte(i);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    if (lead < 0xc2 || lead > 0xf4 || !continues(i + 1)) return i;
    if (lead < 0xe0) {
      i += 2;
      continue;
    }
    const unsigned char second = byte(i + 1);
    if (!continues(i + 2)) return i;
    if (lead < 0xf0) {
      if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second >= 0xa0)) return i;
      i += 3;
      continue;
    }
    if (!continues(i + 3) || (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second >= 0x90))
      return i;
    i += 4;
  }
  return std::string_view::npos;
}

void append_utf8(std::string& text, char32_t code) {
  const auto push = [&](char32_t value) { text.push_back(static_cast<char>(value)); };
  if (code < 0x80) {
    push(code);
  } else if (code < 0x800) {
    push(0xc0 | (code >> 6));
    push(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    push(0xe0 | (code >> 12));
    push(0x80 | ((code >> 6) & 0x3f));
    push(0x80 | (code & 0x3f));
  } else {
    push(0xf0 | (code >> 18));
    push(0x80 | ((code >> 12) & 0x3f));
    push(0x80 | ((code >> 6) & 0x3f));
    push(0x80 | (code & 0x3f));
  }
}

}  // namespace laurel
