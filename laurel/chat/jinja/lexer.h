// Template source to tokens, with trim_blocks, lstrip_blocks and the - and + marks applied.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace laurel::chat::jinja {

enum class TokenKind : std::uint8_t {
  kData,
  kVariableBegin,
  kVariableEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  int line = 1;
  std::string text;  // data, name, operator, or the string's value
  std::int64_t integer = 0;
  double real = 0;
};

// Line breaks as jinja2 sees them: CRLF and CR become LF, and one at the very end is dropped.
std::string normalize_source(std::string_view source);

// A syntax problem, with its line in `line`.
std::vector<Token> tokenize(std::string_view normalized_source, int& line);

}  // namespace laurel::chat::jinja
