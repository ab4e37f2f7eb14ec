#include "laurel/chat/jinja/format.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>
#include <string>

#include "laurel/base/utf8.h"
#include "laurel/chat/jinja/operators.h"
#include "laurel/chat/jinja/print.h"
#include "laurel/chat/jinja/text.h"

namespace laurel::chat::jinja {
namespace {

constexpr std::int64_t kMaxWidth = 1 << 20;
constexpr int kMaxDigits = 100;  // after the point

// What comes between % or : and the letter.
struct Spec {
  std::string fill = " ";
  char align = '\0';  // < > = ^
  char sign = '\0';   // + or space
  bool alternate = false;
  bool grouped = false;  // commas between thousands
  std::int64_t width = 0;
  int precision = -1;
  char type = '\0';
};

std::string group_thousands(std::string_view digits) {
  std::string result;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) result.push_back(',');
    result.push_back(digits[i]);
  }
  return result;
}

// `sign` and `digits` padded to the width.
std::string pad(const Spec& spec, std::string_view sign, std::string_view digits,
                char default_align) {
  const std::int64_t size = count_code_points(digits) + static_cast<std::int64_t>(sign.size());
  if (size >= spec.width) return std::string(sign) + std::string(digits);
  const auto missing = static_cast<std::size_t>(spec.width - size);
  const char align = spec.align == '\0' ? default_align : spec.align;
  const std::size_t left = align == '<' ? 0 : align == '^' ? missing / 2 : missing;
  const auto filled = [&](std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += spec.fill;
    return text;
  };
  if (align == '=') return std::string(sign) + filled(left) + std::string(digits);
  return filled(left) + std::string(sign) + std::string(digits) + filled(missing - left);
}

std::string sign_of(const Spec& spec, bool negative) {
  if (negative) return "-";
  return spec.sign == '\0' ? "" : std::string(1, spec.sign);
}

std::string format_integer(const Spec& spec, std::int64_t value, char default_align) {
  const bool negative = value < 0;
  const std::uint64_t size =
      negative ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
  std::string prefix = sign_of(spec, negative);
  std::string digits;
  switch (spec.type) {
    case 'x':
      digits = fmt::format("{:x}", size);
      break;
    case 'X':
      digits = fmt::format("{:X}", size);
      break;
    case 'o':
      digits = fmt::format("{:o}", size);
      break;
    case 'b':
      digits = fmt::format("{:b}", size);
      break;
    default:
      digits = fmt::format("{}", size);
  }
  const bool decimal = spec.type == 'd' || spec.type == '\0';
  if (spec.grouped && decimal) digits = group_thousands(digits);
  if (spec.alternate && !decimal) prefix += std::string("0") + spec.type;
  return pad(spec, prefix, digits, default_align);
}

const char* conversion_for(char type) {
  switch (type) {
    case 'e':
      return "%.*e";
    case 'E':
      return "%.*E";
    case 'g':
      return "%.*g";
    case 'G':
      return "%.*G";
    default:
      return "%.*f";
  }
}

std::string format_real(const Spec& spec, double value, char default_align) {
  const std::string sign = sign_of(spec, std::signbit(value) && !std::isnan(value));
  const double size = std::abs(value);
  const char type = spec.type == '\0' ? 'g' : spec.type;
  const double shown = type == '%' ? size * 100 : size;
  const int precision = spec.precision < 0 ? 6 : spec.precision;
  if (precision > kMaxDigits)
    fail(ErrorKind::kLimit, "a number format asks for more than {} digits", kMaxDigits);
  std::string digits;
  if (!std::isfinite(shown)) {
    digits = std::isnan(shown) ? "nan" : "inf";
  } else {
    char buffer[512];
    std::snprintf(buffer, sizeof buffer, conversion_for(type), precision, shown);
    digits = buffer;
  }
  if (spec.grouped) {
    const std::size_t whole = std::min(digits.find_first_not_of("0123456789"), digits.size());
    digits = group_thousands(digits.substr(0, whole)) + digits.substr(whole);
  }
  if (type == '%') digits += '%';
  return pad(spec, sign, digits, default_align);
}

std::string format_string(const Spec& spec, std::string_view value, char default_align) {
  if (spec.precision >= 0) value = value.substr(0, offset_of(value, spec.precision));
  return pad(spec, "", value, default_align);
}

// Reads digits as a number, at most `limit`.
std::int64_t read_number(std::string_view text, std::size_t& at, std::int64_t limit) {
  std::int64_t value = 0;
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
    value = value * 10 + (text[at++] - '0');
    if (value > limit) fail(ErrorKind::kLimit, "a format asks for more than {} characters", limit);
  }
  return value;
}

// ---- % ----

class PercentFormatter {
 public:
  PercentFormatter(Runtime& runtime, std::string_view format, const Value& values)
      : runtime_(runtime), format_(format), values_(values) {}

  Value run() {
    while (at_ < format_.size()) {
      const std::size_t begin = at_;
      at_ = std::min(format_.find('%', at_), format_.size());
      append(format_.substr(begin, at_ - begin));
      if (at_ < format_.size()) {
        ++at_;
        conversion();
      }
    }
    const bool all_used = values_.is(Kind::kDict) || named_ ||
                          used_ == (values_.is(Kind::kTuple) ? values_.array().size : 1);
    if (!all_used && !takes_any()) fail("not all arguments converted during string formatting");
    return runtime_.text(result_);
  }

 private:
  // Python does not mind an unused value that is a mapping or a sequence it can index by name.
  bool takes_any() const { return used_ == 0 && values_.is(Kind::kList); }

  void append(std::string_view text) {
    runtime_.heap().charge(text.size());
    result_ += text;
  }

  Value next_value() {
    if (values_.is(Kind::kTuple)) {
      if (used_ >= values_.array().size) fail("not enough arguments for format string");
      return values_.array().items[used_++];
    }
    if (used_++ > 0) fail("not enough arguments for format string");
    return values_;
  }

  void conversion() {
    std::optional<Value> named;
    if (peek() == '(') {
      const std::size_t end = format_.find(')', at_);
      if (end == std::string_view::npos) fail("incomplete format key");
      if (!values_.is(Kind::kDict)) fail("format requires a mapping");
      const std::string_view key = format_.substr(at_ + 1, end - at_ - 1);
      const Value* found = find(runtime_.heap(), values_.dict(), Value::string(key));
      if (found == nullptr) fail("format: there is no key '{}'", key);
      named = *found;
      named_ = true;
      at_ = end + 1;
    }
    const Spec spec = read_spec();
    if (spec.type == '%') return append("%");
    append(convert(spec, named ? *named : next_value()));
  }

  char peek() const { return at_ < format_.size() ? format_[at_] : '\0'; }

  Spec read_spec() {
    Spec spec;
    bool left = false;
    for (bool more = true; more;) {
      switch (peek()) {
        case '-':
          left = true;
          break;
        case '0':
          spec.fill = "0";
          spec.align = '=';
          break;
        case '+':
          spec.sign = '+';
          break;
        case ' ':
          if (spec.sign == '\0') spec.sign = ' ';
          break;
        case '#':
          spec.alternate = true;
          break;
        default:
          more = false;
      }
      if (more) ++at_;
    }
    spec.width = star_or_number();
    if (peek() == '.') {
      ++at_;
      spec.precision = static_cast<int>(star_or_number());
    }
    while (peek() == 'l' || peek() == 'h' || peek() == 'L') ++at_;
    if (at_ >= format_.size()) fail("incomplete format");
    if (left || spec.width < 0) {
      spec.fill = " ";
      spec.align = '<';
      spec.width = std::abs(spec.width);
    }
    spec.type = format_[at_++];
    return spec;
  }

  std::int64_t star_or_number() {
    if (peek() != '*') return read_number(format_, at_, kMaxWidth);
    ++at_;
    const Value value = next_value();
    if (!value.is_integral()) fail("* wants int");
    if (std::abs(value.as_int()) > kMaxWidth) {
      fail(ErrorKind::kLimit, "a format asks for more than {} characters", kMaxWidth);
    }
    return value.as_int();
  }

  std::string convert(Spec spec, const Value& value) {
    const auto as_text = [&](std::string text) {
      if (spec.align == '=') spec.align = '>', spec.fill = " ";
      return format_string(spec, text, '>');
    };
    std::string text;
    switch (spec.type) {
      case 's':
        append_str(runtime_.heap(), text, value);
        return as_text(text);
      case 'r':
      case 'a':
        append_repr(runtime_.heap(), text, value);
        return as_text(text);
      case 'c':
        if (value.is(Kind::kString) && count_code_points(value.as_string()) == 1) {
          return as_text(std::string(value.as_string()));
        }
        fail("%c requires a character");
      case 'd':
      case 'i':
      case 'u':
      case 'x':
      case 'X':
      case 'o':
        return integer(spec, value);
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
        require_defined(value);
        if (!value.is_number()) fail("must be real number, not {}", type_name(value));
        return format_real(spec, value.as_double(), '>');
      default:
        fail("unsupported format character '{}'", spec.type);
    }
  }

  static std::string integer(Spec spec, const Value& value) {
    require_defined(value);
    const bool decimal = spec.type == 'd' || spec.type == 'i' || spec.type == 'u';
    if (decimal) spec.type = 'd';
    if (!value.is_integral() && !(decimal && value.is(Kind::kFloat))) {
      fail("%{} format: an integer is required, not {}", spec.type, type_name(value));
    }
    if (!value.is(Kind::kFloat)) return format_integer(spec, value.as_int(), '>');
    if (!(std::abs(value.as_double()) < 9e18))
      fail(ErrorKind::kLimit, "an integer does not fit 64 bits");
    return format_integer(spec, static_cast<std::int64_t>(value.as_double()), '>');
  }

  Runtime& runtime_;
  std::string_view format_;
  const Value& values_;
  std::size_t at_ = 0;
  std::size_t used_ = 0;
  bool named_ = false;
  std::string result_;
};

// ---- {} ----

Spec parse_spec(std::string_view text) {
  Spec spec;
  std::size_t at = 0;
  const auto is_align = [](std::string_view t) {
    return !t.empty() && std::string_view("<>=^").find(t[0]) != t.npos;
  };
  const std::size_t first = text.empty() ? 0 : size_at(text, 0);
  if (is_align(text.substr(first)) && first > 0) {
    spec.fill = text.substr(0, first);
    spec.align = text[first];
    at = first + 1;
  } else if (is_align(text)) {
    spec.align = text[at++];
  }
  const auto peek = [&] { return at < text.size() ? text[at] : '\0'; };
  if (peek() == '+' || peek() == '-' || peek() == ' ') {
    spec.sign = peek() == '-' ? '\0' : peek();
    ++at;
  }
  if (peek() == '#') spec.alternate = true, ++at;
  if (peek() == '0') {
    if (spec.align == '\0') spec.align = '=', spec.fill = "0";
    ++at;
  }
  spec.width = read_number(text, at, kMaxWidth);
  if (peek() == ',') spec.grouped = true, ++at;
  if (peek() == '.') {
    ++at;
    const std::size_t begin = at;
    spec.precision = static_cast<int>(read_number(text, at, kMaxWidth));
    if (at == begin) fail("format specifier is missing its precision");
  }
  if (at < text.size()) spec.type = text[at++];
  if (at < text.size()) fail("invalid format specifier '{}'", text);
  return spec;
}

std::string apply_spec(Runtime& runtime, const Value& value, std::string_view text) {
  std::string shown;
  if (text.empty()) {
    append_str(runtime.heap(), shown, value);
    return shown;
  }
  const Spec spec = parse_spec(text);
  runtime.heap().charge(static_cast<std::size_t>(spec.width) * 4);
  const bool integer_type = std::string_view("dxXob").find(spec.type) != std::string_view::npos;
  const bool real_type = std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos;
  if (value.is(Kind::kString) && (spec.type == 's' || spec.type == '\0') && spec.align != '=') {
    return format_string(spec, value.as_string(), '<');
  }
  if (value.is_integral() && (integer_type || (spec.type == '\0' && value.is(Kind::kInt)))) {
    if (spec.precision >= 0) fail("precision not allowed in integer format specifier");
    return format_integer(spec, value.as_int(), '>');
  }
  if (value.is_number() && real_type) return format_real(spec, value.as_double(), '>');
  if (value.is(Kind::kFloat) && spec.type == '\0') {
    if (spec.precision >= 0) fail("format specifier '{}' is not supported", text);
    append_float(shown, std::abs(value.as_double()));
    return pad(spec, sign_of(spec, std::signbit(value.as_double())), shown, '>');
  }
  fail("format specifier '{}' does not fit a value of type {}", text, type_name(value));
}

class BraceFormatter {
 public:
  BraceFormatter(Runtime& runtime, const Arguments& arguments)
      : runtime_(runtime), arguments_(arguments) {}

  std::string run(std::string_view format, int depth) {
    if (depth > 2) fail("format: replacement fields are nested too deeply");
    std::string result;
    for (std::size_t at = 0; at < format.size();) {
      const char c = format[at];
      if (c != '{' && c != '}') {
        result.push_back(c);
        ++at;
      } else if (at + 1 < format.size() && format[at + 1] == c) {
        result.push_back(c);
        at += 2;
      } else if (c == '}') {
        fail("format: single '}}' in the format string");
      } else {
        const std::size_t end = end_of_field(format, at + 1);
        result += field(format.substr(at + 1, end - at - 1), depth);
        at = end + 1;
      }
      runtime_.heap().step();
    }
    return result;
  }

 private:
  static std::size_t end_of_field(std::string_view format, std::size_t at) {
    int open = 1;
    for (; at < format.size(); ++at) {
      if (format[at] == '{') ++open;
      if (format[at] == '}' && --open == 0) return at;
    }
    fail("format: expected '}}' before the end of the string");
  }

  std::string field(std::string_view text, int depth) {
    const std::size_t name_end = std::min(text.find_first_of("!:"), text.size());
    std::string_view rest = text.substr(name_end);
    Value value = lookup(text.substr(0, name_end));
    if (rest.substr(0, 1) == "!") {
      if (rest.size() < 2 || (rest.size() > 2 && rest[2] != ':'))
        fail("format: expected ':' after the conversion");
      std::string shown;
      if (rest[1] == 'r') {
        append_repr(runtime_.heap(), shown, value);
      } else if (rest[1] == 's') {
        append_str(runtime_.heap(), shown, value);
      } else {
        fail("format: unknown conversion '{}'", rest[1]);
      }
      value = runtime_.text(shown);
      rest.remove_prefix(2);
    }
    if (!rest.empty()) rest.remove_prefix(1);
    const std::string result = apply_spec(runtime_, value, run(rest, depth + 1));
    runtime_.heap().charge(result.size());
    return result;
  }

  Value lookup(std::string_view path) {
    const std::size_t first_end = std::min(path.find_first_of(".["), path.size());
    Value value = root(path.substr(0, first_end));
    for (std::size_t at = first_end; at < path.size();) {
      if (path[at] == '.') {
        const std::size_t end = std::min(path.find_first_of(".[", at + 1), path.size());
        value = get_attribute(runtime_, value, path.substr(at + 1, end - at - 1));
        at = end;
      } else {
        const std::size_t end = path.find(']', at);
        if (end == std::string_view::npos) fail("format: missing ']' in the format string");
        value = get_item(runtime_, value, key(path.substr(at + 1, end - at - 1)));
        at = end + 1;
      }
    }
    return value;
  }

  static Value key(std::string_view text) {
    bool overflow = false;
    const auto index = parse_int(text, 10, overflow);
    return index ? Value::integer(*index) : Value::string(text);
  }

  Value root(std::string_view name) {
    bool overflow = false;
    const auto index = name.empty() ? std::optional(automatic_++) : parse_int(name, 10, overflow);
    if (index) {
      if (*index < 0 || *index >= static_cast<std::int64_t>(arguments_.positional.size())) {
        fail("format: replacement index {} out of range", *index);
      }
      return arguments_.positional[static_cast<std::size_t>(*index)];
    }
    for (const Keyword& keyword : arguments_.keywords) {
      if (keyword.name == name) return keyword.value;
    }
    fail("format: there is no argument named '{}'", name);
  }

  Runtime& runtime_;
  const Arguments& arguments_;
  std::int64_t automatic_ = 0;
};

}  // namespace

Value format_percent(Runtime& runtime, std::string_view format, const Value& values) {
  return PercentFormatter(runtime, format, values).run();
}

Value format_braces(Runtime& runtime, std::string_view format, const Arguments& arguments) {
  return runtime.text(BraceFormatter(runtime, arguments).run(format, 0));
}

}  // namespace laurel::chat::jinja
