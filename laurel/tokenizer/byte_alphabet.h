// The byte-level alphabet of GPT-2: every byte has a printable character. 0x21-0x7e, 0xa1-0xac and
// 0xae-0xff stand for themselves; the other 68 bytes, ascending, are U+0100 + n.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace laurel::tokenizer {

char32_t byte_to_char(unsigned char byte);
std::optional<unsigned char> char_to_byte(char32_t code);

// Appends the alphabet's characters for `bytes`, as UTF-8.
void append_byte_chars(std::string& text, std::string_view bytes);

// Appends the bytes that the token's characters stand for; the token itself where a character is
// not of the alphabet.
void append_token_bytes(std::string& bytes, std::string_view token);

}  // namespace laurel::tokenizer
