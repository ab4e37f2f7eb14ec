// Filters over one value, and the table of all filters.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <string>
#include <unordered_map>

#include "laurel/base/utf8.h"
#include "laurel/chat/jinja/builtins.h"
#include "laurel/chat/jinja/case_mapping.h"
#include "laurel/chat/jinja/format.h"
#include "laurel/chat/jinja/methods.h"
#include "laurel/chat/jinja/operators.h"
#include "laurel/chat/jinja/print.h"
#include "laurel/chat/jinja/sequence_filters.h"
#include "laurel/chat/jinja/text.h"

namespace laurel::chat::jinja {
namespace {

bool given(const Value* value) { return value != nullptr && !value->is(Kind::kNone); }

std::int64_t need_int(const Value& value, std::string_view filter) {
  require_defined(value);
  if (!value.is_integral()) fail("{}: expected an integer, got {}", filter, type_name(value));
  return value.as_int();
}

std::string_view need_string(const Value& value, std::string_view filter) {
  require_defined(value);
  if (!value.is(Kind::kString)) fail("{}: expected a string, got {}", filter, type_name(value));
  return value.as_string();
}

template <std::string (*kChange)(std::string_view)>
Value filter_change(Runtime& runtime, const Arguments& arguments) {
  const auto args = bind("filter", arguments, {"s"}, 1);
  const std::string_view text = to_str(runtime.heap(), *args[0]);
  runtime.heap().step_bytes(text.size());
  return runtime.text(kChange(text));
}

Value filter_string(Runtime& runtime, const Arguments& arguments) {
  return Value::string(to_str(runtime.heap(), *bind("string", arguments, {"object"}, 1)[0]));
}

Value filter_trim(Runtime& runtime, const Arguments& arguments) {
  const auto args = bind("trim", arguments, {"value", "chars"}, 1);
  const std::string_view text = to_str(runtime.heap(), *args[0]);
  runtime.heap().step();
  if (!given(args[1])) return Value::string(strip(text));
  return Value::string(strip(text, need_string(*args[1], "trim")));
}

Value filter_default(Runtime& runtime, const Arguments& arguments) {
  const auto args = bind("default", arguments, {"value", "default_value", "boolean"}, 1);
  const bool falsy_too = args[2] != nullptr && truthy(runtime, *args[2]);
  if (args[0]->is(Kind::kUndefined) || (falsy_too && !truthy(runtime, *args[0]))) {
    return args[1] == nullptr ? Value::string({}) : *args[1];
  }
  return *args[0];
}

Value filter_replace(Runtime& runtime, const Arguments& arguments) {
  const auto args = bind("replace", arguments, {"s", "old", "new", "count"}, 3);
  Heap& heap = runtime.heap();
  const std::int64_t most = given(args[3]) ? need_int(*args[3], "replace") : -1;
  return replace_text(runtime, to_str(heap, *args[0]), to_str(heap, *args[1]),
                      to_str(heap, *args[2]), most);
}

Value filter_format(Runtime& runtime, const Arguments& arguments) {
  if (arguments.positional.empty()) missing_argument("format", "value");
  const std::string_view format = to_str(runtime.heap(), arguments.positional[0]);
  if (arguments.keywords.empty()) {
    return format_percent(runtime, format,
                          make_tuple(runtime.heap(), arguments.positional.subspan(1)));
  }
  if (arguments.positional.size() > 1)
    fail("format: cannot take positional and keyword arguments at once");
  DictBuilder builder(runtime.heap());
  for (const Keyword& keyword : arguments.keywords)
    builder.set(Value::string(keyword.name), keyword.value);
  return format_percent(runtime, format, Value::dict(builder.finish()));
}

Value filter_indent(Runtime& runtime, const Arguments& arguments) {
  const auto args = bind("indent", arguments, {"s", "width", "first", "blank"}, 1);
  Heap& heap = runtime.heap();
  const auto is_set = [&](std::size_t i) {
    return args[i] != nullptr && truthy(runtime, *args[i]);
  };
  std::string indentation = "    ";
  if (args[1] != nullptr) {
    if (args[1]->is(Kind::kString)) {
      indentation = args[1]->as_string();
    } else {
      const std::int64_t width = std::max<std::int64_t>(need_int(*args[1], "indent"), 0);
      heap.charge(static_cast<std::size_t>(width));
      indentation.assign(static_cast<std::size_t>(width), ' ');
    }
  }
  const std::string source = std::string(need_string(*args[0], "indent")) + "\n";
  std::string text;
  bool first_line = true;
  for (const std::string_view line : split_lines(source)) {
    heap.charge(line.size() + indentation.size() + 1);
    if (!first_line) text += '\n';
    if (first_line ? is_set(2) : is_set(3) || !line.empty()) text += indentation;
    text += line;
    first_line = false;
  }
  return runtime.text(text);
}

Value filter_tojson(Runtime& runtime, const Arguments& arguments) {
  const auto args =
      bind("tojson", arguments, {"x", "ensure_ascii", "indent", "separators", "sort_keys"}, 1);
  const auto is_set = [&](std::size_t i) {
    return args[i] != nullptr && truthy(runtime, *args[i]);
  };
  JsonStyle style;
  style.ensure_ascii = is_set(1);
  style.sort_keys = is_set(4);
  if (given(args[2])) {
    style.item_separator = ",";
    if (args[2]->is(Kind::kString)) {
      style.indent = std::string(args[2]->as_string());
    } else {
      const std::int64_t width = std::max<std::int64_t>(need_int(*args[2], "tojson"), 0);
      runtime.heap().charge(static_cast<std::size_t>(width));
      style.indent = std::string(static_cast<std::size_t>(width), ' ');
    }
  }
  if (given(args[3])) {
    const std::vector<Value> separators = collect(runtime, *args[3]);
    if (separators.size() != 2) fail("tojson: expected two separators, got {}", separators.size());
    style.item_separator = need_string(separators[0], "tojson");
    style.key_separator = need_string(separators[1], "tojson");
  }
  std::string text;
  append_json(runtime.heap(), text, *args[0], style);
  return runtime.text(text);
}

Value to_integer(double value, const Value& otherwise) {
  if (!std::isfinite(value)) return otherwise;
  if (std::abs(value) >= 9.2e18) fail(ErrorKind::kLimit, "an integer does not fit 64 bits");
  return Value::integer(static_cast<std::int64_t>(value));
}

Value filter_int(Runtime&, const Arguments& arguments) {
  const auto args = bind("int", arguments, {"value", "default", "base"}, 1);
  const Value otherwise = args[1] == nullptr ? Value::integer(0) : *args[1];
  require_defined(*args[0]);
  if (args[0]->is_integral()) return Value::integer(args[0]->as_int());
  if (args[0]->is(Kind::kFloat)) {
    if (std::isinf(args[0]->as_double())) fail("cannot convert float infinity to integer");
    return to_integer(args[0]->as_double(), otherwise);
  }
  if (!args[0]->is(Kind::kString)) return otherwise;
  const std::int64_t base = args[2] == nullptr ? 10 : need_int(*args[2], "int");
  bool overflow = false;
  if (base == 0 || (base >= 2 && base <= 36)) {
    const auto value = parse_int(args[0]->as_string(), static_cast<int>(base), overflow);
    if (value) return Value::integer(*value);
  }
  if (overflow) fail(ErrorKind::kLimit, "an integer does not fit 64 bits");
  const auto real = parse_float(args[0]->as_string());
  return real ? to_integer(*real, otherwise) : otherwise;
}

Value filter_float(Runtime&, const Arguments& arguments) {
  const auto args = bind("float", arguments, {"value", "default"}, 1);
  require_defined(*args[0]);
  if (args[0]->is_number()) return Value::real(args[0]->as_double());
  if (args[0]->is(Kind::kString)) {
    if (const auto value = parse_float(args[0]->as_string())) return Value::real(*value);
  }
  return args[1] == nullptr ? Value::real(0) : *args[1];
}

Value filter_abs(Runtime&, const Arguments& arguments) {
  const auto args = bind("abs", arguments, {"x"}, 1);
  if (args[0]->is(Kind::kFloat)) return Value::real(std::abs(args[0]->as_double()));
  if (!args[0]->is_integral()) fail("abs: expected a number, got {}", type_name(*args[0]));
  return args[0]->as_int() < 0 ? negate(*args[0]) : Value::integer(args[0]->as_int());
}

// round(value, precision): to the nearest, halves (of the exact binary value) to even.
double round_half_even(double value, std::int64_t precision) {
  if (!std::isfinite(value) || precision > 30) return value;
  if (precision <= 0) {
    const double unit = std::pow(10.0, static_cast<double>(-precision));
    return std::isfinite(unit) ? std::nearbyint(value / unit) * unit : 0.0;
  }
  char buffer[400];
  std::snprintf(buffer, sizeof buffer, "%.*f", static_cast<int>(precision), value);
  return parse_float(buffer).value_or(value);
}

Value filter_round(Runtime& runtime, const Arguments& arguments) {
  const auto args = bind("round", arguments, {"value", "precision", "method"}, 1);
  const std::int64_t precision = args[1] == nullptr ? 0 : need_int(*args[1], "round");
  const std::string_view method = args[2] == nullptr ? "common" : to_str(runtime.heap(), *args[2]);
  if (method != "common" && method != "ceil" && method != "floor") {
    fail("round: expected method common, ceil or floor, got {}", method);
  }
  if (!args[0]->is_number()) fail("round: expected a number, got {}", type_name(*args[0]));
  if (method == "common") {
    if (args[0]->is_integral() && precision >= 0) return Value::integer(args[0]->as_int());
    const double rounded = round_half_even(args[0]->as_double(), precision);
    return args[0]->is_integral() ? to_integer(rounded, Value::integer(0)) : Value::real(rounded);
  }
  const double scale = std::pow(10.0, static_cast<double>(precision));
  const double scaled = args[0]->as_double() * scale;
  return Value::real((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale);
}

Value filter_attr(Runtime& runtime, const Arguments& arguments) {
  const auto args = bind("attr", arguments, {"obj", "name"}, 2);
  const std::string_view name = to_str(runtime.heap(), *args[1]);
  require_defined(*args[0]);
  if (const auto found = attribute(runtime, *args[0], name)) return *found;
  return undefined_attribute(runtime.heap(), *args[0], name);
}

Value filter_escape(Runtime& runtime, const Arguments& arguments) {
  const auto args = bind("escape", arguments, {"s"}, 1);
  std::string text;
  for (const char c : to_str(runtime.heap(), *args[0])) {
    switch (c) {
      case '&':
        text += "&amp;";
        break;
      case '<':
        text += "&lt;";
        break;
      case '>':
        text += "&gt;";
        break;
      case '"':
        text += "&#34;";
        break;
      case '\'':
        text += "&#39;";
        break;
      default:
        text.push_back(c);
    }
  }
  return runtime.text(text);
}

Value filter_center(Runtime& runtime, const Arguments& arguments) {
  const auto args = bind("center", arguments, {"value", "width"}, 1);
  const Value text = Value::string(to_str(runtime.heap(), *args[0]));
  const Value width[] = {args[1] == nullptr ? Value::integer(80) : *args[1]};
  return runtime.call(get_attribute(runtime, text, "center"), {width, {}});
}

Value filter_wordcount(Runtime& runtime, const Arguments& arguments) {
  const std::string_view text = to_str(runtime.heap(), *bind("wordcount", arguments, {"s"}, 1)[0]);
  std::int64_t count = 0;
  bool in_word = false;
  for (std::size_t at = 0; at < text.size();) {
    const bool word = is_word(decode_utf8(text, at));
    count += word && !in_word ? 1 : 0;
    in_word = word;
  }
  return Value::integer(count);
}

Value filter_truncate(Runtime& runtime, const Arguments& arguments) {
  const auto args = bind("truncate", arguments, {"s", "length", "killwords", "end", "leeway"}, 1);
  const std::string_view text = need_string(*args[0], "truncate");
  const std::int64_t most = args[1] == nullptr ? 255 : need_int(*args[1], "truncate");
  const std::string_view end = args[3] == nullptr ? "..." : need_string(*args[3], "truncate");
  const std::int64_t leeway = given(args[4]) ? need_int(*args[4], "truncate") : 5;
  const std::int64_t kept = most - count_code_points(end);
  if (kept < 0 || leeway < 0)
    fail("truncate: the length must hold the end mark, and the leeway not be negative");
  if (count_code_points(text) - leeway <= most) return *args[0];
  std::string_view start = text.substr(0, offset_of(text, kept));
  const bool cut_words = args[2] != nullptr && truthy(runtime, *args[2]);
  if (!cut_words) start = start.substr(0, start.rfind(' '));
  return runtime.text(std::string(start) + std::string(end));
}

}  // namespace

Filter find_filter(std::string_view name) {
  static const std::unordered_map<std::string_view, Filter> filters = {
      {"abs", filter_abs},
      {"attr", filter_attr},
      {"batch", filter_batch},
      {"capitalize", filter_change<capitalize>},
      {"center", filter_center},
      {"count", filter_length},
      {"d", filter_default},
      {"default", filter_default},
      {"dictsort", filter_dictsort},
      {"e", filter_escape},
      {"escape", filter_escape},
      {"first", filter_first},
      {"float", filter_float},
      {"forceescape", filter_escape},
      {"format", filter_format},
      {"groupby", filter_groupby},
      {"indent", filter_indent},
      {"int", filter_int},
      {"items", filter_items},
      {"join", filter_join},
      {"last", filter_last},
      {"length", filter_length},
      {"list", filter_list},
      {"lower", filter_change<lower>},
      {"map", filter_map},
      {"max", filter_max},
      {"min", filter_min},
      {"reject", filter_reject},
      {"rejectattr", filter_rejectattr},
      {"replace", filter_replace},
      {"reverse", filter_reverse},
      {"round", filter_round},
      {"safe", filter_string},
      {"select", filter_select},
      {"selectattr", filter_selectattr},
      {"sort", filter_sort},
      {"string", filter_string},
      {"sum", filter_sum},
      {"title", filter_change<title_words>},
      {"tojson", filter_tojson},
      {"trim", filter_trim},
      {"truncate", filter_truncate},
      {"unique", filter_unique},
      {"upper", filter_change<upper>},
      {"wordcount", filter_wordcount}};
  const auto found = filters.find(name);
  return found == filters.end() ? nullptr : found->second;
}

}  // namespace laurel::chat::jinja
