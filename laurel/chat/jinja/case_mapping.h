// Properties and case of code points, as Python's str has them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace laurel::chat::jinja {

bool is_upper(char32_t code);
bool is_lower(char32_t code);
bool is_cased(char32_t code);
bool is_alpha(char32_t code);
bool is_decimal(char32_t code);
bool is_digit(char32_t code);
bool is_numeric(char32_t code);
// A word character of Python's regular expressions (\w).
bool is_word(char32_t code);
bool continues_identifier(char32_t code);
// Whether repr() shows it as itself.
bool is_printable(char32_t code);

// Full mappings: one code point may become several.
void append_upper(std::string& text, char32_t code);
void append_title(std::string& text, char32_t code);
// Lower case of the code point at `offset` of `all`; the place matters for the Greek final sigma.
void append_lower(std::string& text, std::string_view all, std::size_t offset);
// Whether the sigma at [begin, end) ends its word.
bool ends_word(std::string_view all, std::size_t begin, std::size_t end);

}  // namespace laurel::chat::jinja
