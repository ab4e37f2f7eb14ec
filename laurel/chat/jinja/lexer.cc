#include "laurel/chat/jinja/lexer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "laurel/base/utf8.h"
#include "laurel/chat/jinja/case_mapping.h"
#include "laurel/chat/jinja/problem.h"
#include "laurel/chat/jinja/text.h"

namespace laurel::chat::jinja {
namespace {

// Longest first: the first that fits is taken.
constexpr std::array<std::string_view, 26> kOperators = {
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
    "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};

[[noreturn]] void syntax(std::string_view text) { fail(ErrorKind::kSyntax, "{}", text); }

// Value of a string literal's inside: Python's unicode_escape.
class Unescaper {
 public:
  explicit Unescaper(std::string_view text) : text_(text) {}

  std::string run() {
    while (at_ < text_.size()) {
      if (text_[at_] != '\\' || at_ + 1 == text_.size()) {
        result_.push_back(text_[at_++]);
      } else {
        at_ += 2;
        escape(text_[at_ - 1]);
      }
    }
    return std::move(result_);
  }

 private:
  void escape(char c) {
    constexpr std::string_view kNames = "abfnrtv\\'\"";
    constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\'\"";
    if (const std::size_t index = kNames.find(c); index != std::string_view::npos) {
      result_.push_back(kMeanings[index]);
    } else if (c == '\n') {  // a continued line
    } else if (c >= '0' && c <= '7') {
      octal(c);
    } else if (c == 'x') {
      hexadecimal(2);
    } else if (c == 'u') {
      hexadecimal(4);
    } else if (c == 'U') {
      hexadecimal(8);
    } else if (c == 'N') {
      syntax("character names (\\N) in a string are not supported");
    } else {
      result_ += {'\\', c};
    }
  }

  void octal(char first) {
    char32_t code = static_cast<char32_t>(first - '0');
    for (int i = 0; i < 2 && at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '7'; ++i) {
      code = code * 8 + static_cast<char32_t>(text_[at_++] - '0');
    }
    append_utf8(result_, code);
  }

  void hexadecimal(std::size_t digits) {
    std::uint32_t code = 0;
    const std::string_view text = text_.substr(at_, digits);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), code, 16);
    if (text.size() != digits || end != text.data() + digits || error != std::errc()) {
      syntax("a string ends inside an escape sequence");
    }
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
      syntax("an escape sequence in a string is no Unicode character");
    }
    append_utf8(result_, code);
    at_ += digits;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string result_;
};

class Lexer {
 public:
  Lexer(std::string_view source, int& line) : source_(source), line_(line) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) text_until_tag();
    push(TokenKind::kEnd);
    return std::move(tokens_);
  }

 private:
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0';
  }
  bool looking_at(std::string_view text) const { return source_.substr(at_, text.size()) == text; }

  // Moves on, counting lines.
  void advance(std::size_t bytes) {
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         source_.begin() + static_cast<std::ptrdiff_t>(at_ + bytes),
                                         '\n'));
    at_ += bytes;
  }

  void skip_space() { advance(source_.size() - at_ - strip_left(source_.substr(at_)).size()); }

  Token& push(TokenKind kind, std::string_view text = {}) {
    tokens_.emplace_back();
    tokens_.back().kind = kind;
    tokens_.back().line = line_;
    tokens_.back().text = text;
    return tokens_.back();
  }

  // The text before the next tag, cut as the tag's mark and lstrip_blocks say, then the tag.
  void text_until_tag() {
    std::size_t tag = at_;
    while (tag < source_.size()) {
      tag = source_.find('{', tag);
      if (tag == std::string_view::npos || tag + 1 == source_.size()) {
        tag = source_.size();
      } else if (source_[tag + 1] != '{' && source_[tag + 1] != '%' && source_[tag + 1] != '#') {
        ++tag;
      } else {
        break;
      }
    }
    const std::string_view text = source_.substr(at_, tag - at_);
    if (tag == source_.size()) {
      if (!text.empty()) push(TokenKind::kData, text);
      return advance(text.size());
    }
    const char mark = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
    push_data(text, mark, source_[tag + 1] != '{');
    advance(text.size() + 2);
    const bool marked = mark == '-' || mark == '+';
    switch (source_[tag + 1]) {
      case '#':
        return comment(marked);
      case '%':
        return statement(marked);
      default:
        if (marked) advance(1);
        push(TokenKind::kVariableBegin);
        inside("}}", TokenKind::kVariableEnd);
    }
  }

  void push_data(std::string_view text, char mark, bool may_strip_line) {
    std::string_view kept = text;
    if (mark == '-') {
      kept = strip_right(text);
    } else if (mark != '+' && may_strip_line) {
      const std::size_t newline = text.rfind('\n');
      const std::size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
      const std::string_view last = text.substr(begin);
      const bool starts_line = begin > 0 || line_starting_;
      if (starts_line && !last.empty() && strip_left(last).empty()) kept = text.substr(0, begin);
    }
    if (!kept.empty()) push(TokenKind::kData, kept);
  }

  // After a tag's end: what its mark or trim_blocks removes.
  void end_tag(bool strip, bool trim_newline) {
    const std::size_t begin = at_;
    if (strip) {
      skip_space();
    } else if (trim_newline && peek() == '\n') {
      advance(1);
    }
    line_starting_ = at_ > begin && source_[at_ - 1] == '\n';
  }

  void comment(bool marked) {
    if (marked) advance(1);
    const std::size_t end = source_.find("#}", at_);
    if (end == std::string_view::npos) syntax("a comment does not end, expected '#}'");
    const char mark = end > at_ ? source_[end - 1] : '\0';
    advance(end + 2 - at_);
    end_tag(mark == '-', mark != '+');
  }

  void statement(bool marked) {
    if (raw(marked)) return;
    if (marked) advance(1);
    push(TokenKind::kBlockBegin);
    inside("%}", TokenKind::kBlockEnd);
  }

  // {% raw %} … {% endraw %}: the text between is data. False if this is another statement.
  bool raw(bool marked) {
    std::string_view rest = strip_left(source_.substr(at_ + (marked ? 1 : 0)));
    if (rest.substr(0, 3) != "raw") return false;
    rest = strip_left(rest.substr(3));
    const bool strip = rest.substr(0, 3) == "-%}";
    if (!strip && rest.substr(0, 2) != "%}") return false;
    advance(source_.size() - at_ - rest.size() + (strip ? 3 : 2));
    end_tag(strip, false);
    const RawEnd end = find_end_of_raw();
    push_data(source_.substr(at_, end.tag - at_), end.begin_mark, true);
    advance(end.after - at_);
    end_tag(end.end_mark == '-', end.end_mark != '+');
    return true;
  }

  struct RawEnd {
    std::size_t tag, after;
    char begin_mark, end_mark;
  };

  RawEnd find_end_of_raw() const {
    for (std::size_t tag = source_.find("{%", at_); tag != std::string_view::npos;
         tag = source_.find("{%", tag + 2)) {
      std::string_view rest = source_.substr(tag + 2);
      char begin_mark = '\0';
      if (!rest.empty() && (rest[0] == '-' || rest[0] == '+')) {
        begin_mark = rest[0];
        rest.remove_prefix(1);
      }
      rest = strip_left(rest);
      if (rest.substr(0, 6) != "endraw") continue;
      rest = strip_left(rest.substr(6));
      char end_mark = '\0';
      if (!rest.empty() && (rest[0] == '-' || rest[0] == '+')) {
        end_mark = rest[0];
        rest.remove_prefix(1);
      }
      if (rest.substr(0, 2) != "%}") continue;
      return {tag, source_.size() - rest.size() + 2, begin_mark, end_mark};
    }
    syntax("a raw block does not end, expected '{% endraw %}'");
  }

  // Tokens up to the closing text.
  void inside(std::string_view close, TokenKind kind) {
    for (;;) {
      skip_space();
      if (at_ >= source_.size()) {
        syntax(fmt::format("the template ends inside a tag, expected '{}'", close));
      }
      if (open_.empty() && ends_here(close, kind)) return;
      if (!number() && !name() && !string()) operator_token();
    }
  }

  bool ends_here(std::string_view close, TokenKind kind) {
    const bool block = kind == TokenKind::kBlockEnd;
    const bool mark = peek() == '-' || (block && peek() == '+');
    if (source_.substr(at_ + (mark ? 1 : 0), 2) != close) return false;
    const bool strip = peek() == '-';
    const bool keep = peek() == '+';
    push(kind);
    advance(mark ? 3 : 2);
    end_tag(strip, block && !keep);
    return true;
  }

  // End of digits with single "_" between them, from `at`; `at` itself if there are none.
  std::size_t digits_end(std::size_t at) const {
    const auto digit = [&](std::size_t i) {
      return i < source_.size() && source_[i] >= '0' && source_[i] <= '9';
    };
    if (!digit(at)) return at;
    while (digit(at) || (source_.substr(at, 1) == "_" && digit(at + 1))) ++at;
    return at;
  }

  bool number() {
    if (peek() < '0' || peek() > '9') return false;
    const std::size_t whole_end = digits_end(at_);
    std::size_t end = whole_end;
    const bool after_dot = at_ > 0 && source_[at_ - 1] == '.';
    if (!after_dot) {
      if (source_.substr(end, 1) == "." && digits_end(end + 1) > end + 1) end = digits_end(end + 1);
      if (end < source_.size() && (source_[end] | 0x20) == 'e') {
        std::size_t exponent = end + 1;
        if (exponent < source_.size() && (source_[exponent] == '+' || source_[exponent] == '-'))
          ++exponent;
        if (digits_end(exponent) > exponent) end = digits_end(exponent);
      }
    }
    if (end > whole_end) {
      push(TokenKind::kFloat).real = parse_float(source_.substr(at_, end - at_)).value_or(0);
      advance(end - at_);
      return true;
    }
    return integer(whole_end);
  }

  bool integer(std::size_t decimal_end) {
    std::size_t end = decimal_end;
    if (peek() == '0') {  // 0x…, 0o…, 0b…; otherwise only zeros belong to the number
      const char letter = static_cast<char>(peek(1) | 0x20);
      const std::string_view allowed = letter == 'x'   ? "0123456789abcdefABCDEF_"
                                       : letter == 'o' ? "01234567_"
                                       : letter == 'b' ? "01_"
                                                       : "";
      end = allowed.empty() ? at_ : source_.find_first_not_of(allowed, at_ + 2);
      if (end == std::string_view::npos) end = source_.size();
      if (end <= at_ + 2) end = std::min(source_.find_first_not_of("0_", at_), decimal_end);
    }
    bool overflow = false;
    const auto value = parse_int(source_.substr(at_, end - at_), 0, overflow);
    if (overflow)
      fail(ErrorKind::kLimit, "the integer {} does not fit 64 bits",
           source_.substr(at_, end - at_));
    if (!value) syntax(fmt::format("'{}' is not a number", source_.substr(at_, end - at_)));
    push(TokenKind::kInteger).integer = *value;
    advance(end - at_);
    return true;
  }

  bool name() {
    std::size_t end = at_;
    while (end < source_.size()) {
      std::size_t next = end;
      const char32_t code = decode_utf8(source_, next);
      if (!continues_identifier(code)) break;
      end = next;
    }
    if (end == at_) return false;
    push(TokenKind::kName, source_.substr(at_, end - at_));
    advance(end - at_);
    return true;
  }

  bool string() {
    const char quote = peek();
    if (quote != '"' && quote != '\'') return false;
    std::size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) syntax("a string does not end");
    push(TokenKind::kString).text = Unescaper(source_.substr(at_ + 1, end - at_ - 1)).run();
    advance(end + 1 - at_);
    return true;
  }

  void operator_token() {
    const auto found = std::find_if(kOperators.begin(), kOperators.end(),
                                    [&](std::string_view op) { return looking_at(op); });
    if (found == kOperators.end()) {
      syntax(fmt::format("unexpected character '{}'", source_.substr(at_, size_at(source_, at_))));
    }
    constexpr std::string_view kOpening = "([{";
    constexpr std::string_view kClosing = ")]}";
    const char c = (*found)[0];
    if (const std::size_t index = kOpening.find(c); index != std::string_view::npos) {
      open_.push_back(kClosing[index]);
    } else if (kClosing.find(c) != std::string_view::npos) {
      if (open_.empty()) syntax(fmt::format("unexpected '{}'", c));
      if (open_.back() != c) syntax(fmt::format("unexpected '{}', expected '{}'", c, open_.back()));
      open_.pop_back();
    }
    push(TokenKind::kOperator, *found);
    advance(found->size());
  }

  std::string_view source_;
  int& line_;
  std::size_t at_ = 0;
  bool line_starting_ = true;
  std::string open_;  // closing brackets still expected, innermost last
  std::vector<Token> tokens_;
};

}  // namespace

std::string normalize_source(std::string_view source) {
  std::string text;
  text.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      text.push_back(source[i]);
    } else {
      text.push_back('\n');
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    }
  }
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::vector<Token> tokenize(std::string_view normalized_source, int& line) {
  line = 1;
  return Lexer(normalized_source, line).run();
}

}  // namespace laurel::chat::jinja
