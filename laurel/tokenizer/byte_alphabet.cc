#include "laurel/tokenizer/byte_alphabet.h"

#include <array>
#include <cstdint>

#include "laurel/base/utf8.h"

namespace laurel::tokenizer {
namespace {

constexpr bool stands_for_itself(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
}

constexpr char32_t kLastChar = 0x100 + 67;

struct Alphabet {
  std::array<std::uint16_t, 256> char_of_byte{};
  std::array<std::int16_t, kLastChar + 1> byte_of_char{};
};

constexpr Alphabet make_alphabet() {
  Alphabet alphabet;
  for (auto& byte : alphabet.byte_of_char) byte = -1;
  std::uint16_t next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const auto code = stands_for_itself(byte) ? static_cast<std::uint16_t>(byte) : next++;
    alphabet.char_of_byte[byte] = code;
    alphabet.byte_of_char[code] = static_cast<std::int16_t>(byte);
  }
  return alphabet;
}

constexpr Alphabet kAlphabet = make_alphabet();

}  // namespace

char32_t byte_to_char(unsigned char byte) { return kAlphabet.char_of_byte[byte]; }

std::optional<unsigned char> char_to_byte(char32_t code) {
  if (code > kLastChar || kAlphabet.byte_of_char[code] < 0) return std::nullopt;
  return static_cast<unsigned char>(kAlphabet.byte_of_char[code]);
}

void append_byte_chars(std::string& text, std::string_view bytes) {
  for (const char byte : bytes) append_utf8(text, byte_to_char(static_cast<unsigned char>(byte)));
}

void append_token_bytes(std::string& bytes, std::string_view token) {
  const std::size_t start = bytes.size();
  for (std::size_t i = 0; i < token.size();) {
    const auto byte = char_to_byte(decode_utf8(token, i));
    if (!byte) {
      bytes.resize(start);
      bytes += token;
      return;
    }
    bytes.push_back(static_cast<char>(*byte));
  }
}

}  // namespace laurel::tokenizer
