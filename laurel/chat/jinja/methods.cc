#include "laurel/chat/jinja/methods.h"

#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>

#include "laurel/base/utf8.h"
#include "laurel/chat/jinja/case_mapping.h"
#include "laurel/chat/jinja/format.h"
#include "laurel/chat/jinja/loop.h"
#include "laurel/chat/jinja/operators.h"
#include "laurel/chat/jinja/print.h"
#include "laurel/chat/jinja/text.h"

namespace laurel::chat::jinja {
namespace {

// ---- arguments ----

std::string_view need_string(const Value& value, std::string_view function) {
  if (!value.is(Kind::kString)) fail("{}: expected a string, got {}", function, type_name(value));
  return value.as_string();
}

std::int64_t need_int(const Value& value, std::string_view function) {
  if (!value.is_integral()) fail("{}: expected an integer, got {}", function, type_name(value));
  return value.as_int();
}

std::string_view need_separator(const Value& value, std::string_view function) {
  const std::string_view separator = need_string(value, function);
  if (separator.empty()) fail("{}: the separator is empty", function);
  return separator;
}

bool given(const Value* value) { return value != nullptr && !value->is(Kind::kNone); }

std::size_t part_start(std::string_view text, const Value* value, std::int64_t otherwise,
                       std::string_view function) {
  std::int64_t index = given(value) ? need_int(*value, function) : otherwise;
  if (index < 0) index = std::max<std::int64_t>(index + count_code_points(text), 0);
  return offset_of(text, index);
}

// text[start:end] of find, count, startswith, …; false if it begins beyond the text or after its
// end.
struct Part {
  std::string_view text;
  std::size_t offset;
  bool valid;
};

Part part_of(std::string_view text, const Value* start, const Value* end,
             std::string_view function) {
  const bool beyond = given(start) && need_int(*start, function) > count_code_points(text);
  const std::size_t first = part_start(text, start, 0, function);
  const std::size_t last = part_start(text, end, INT64_MAX, function);
  if (beyond || last < first) return {{}, first, false};
  return {text.substr(first, last - first), first, true};
}

Value list_of(Runtime& runtime, const std::vector<std::string_view>& texts) {
  Heap& heap = runtime.heap();
  Value* items = heap.make_array<Value>(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) items[i] = Value::string(texts[i]);
  return Value::list(heap.make<Array>(items, texts.size()));
}

// ---- str ----

using Method = Value (*)(Runtime& runtime, const Value& self, const Arguments& arguments);

template <std::string_view (*kStrip)(std::string_view, std::optional<std::string_view>)>
Value str_strip(Runtime&, const Value& self, const Arguments& arguments) {
  const auto args = bind("strip", arguments, {"chars"});
  if (!given(args[0])) return Value::string(kStrip(self.as_string(), std::nullopt));
  return Value::string(kStrip(self.as_string(), need_string(*args[0], "strip")));
}

template <std::string (*kChange)(std::string_view)>
Value str_change(Runtime& runtime, const Value& self, const Arguments& arguments) {
  if (!arguments.positional.empty() || !arguments.keywords.empty())
    fail("this method takes no arguments");
  return runtime.text(kChange(self.as_string()));
}

template <bool (*kTest)(char32_t)>
Value str_all(Runtime&, const Value& self, const Arguments&) {
  const std::string_view text = self.as_string();
  for (std::size_t at = 0; at < text.size();) {
    if (!kTest(decode_utf8(text, at))) return Value::boolean(false);
  }
  return Value::boolean(!text.empty());
}

bool is_alphanumeric(char32_t code) { return is_alpha(code) || is_numeric(code); }

// Some letters have case, and all that have it have this one.
template <bool (*kWanted)(char32_t)>
Value str_all_cased(Runtime&, const Value& self, const Arguments&) {
  const std::string_view text = self.as_string();
  bool any = false;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t code = decode_utf8(text, at);
    if (!is_cased(code)) continue;
    if (!kWanted(code)) return Value::boolean(false);
    any = true;
  }
  return Value::boolean(any);
}

Value str_is_ascii(Runtime&, const Value& self, const Arguments&) {
  const std::string_view text = self.as_string();
  return Value::boolean(
      std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; }));
}

template <bool kFromRight>
Value str_split(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const auto args = bind("split", arguments, {"sep", "maxsplit"});
  const std::int64_t most = args[1] == nullptr ? -1 : need_int(*args[1], "split");
  const std::string_view text = self.as_string();
  if (!given(args[0])) {
    return list_of(runtime, kFromRight ? split_space_right(text, most) : split_space(text, most));
  }
  const std::string_view separator = need_separator(*args[0], "split");
  return list_of(runtime,
                 kFromRight ? split_right(text, separator, most) : split(text, separator, most));
}

Value str_split_lines(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const auto args = bind("splitlines", arguments, {"keepends"});
  return list_of(runtime,
                 split_lines(self.as_string(), args[0] != nullptr && truthy(runtime, *args[0])));
}

template <bool kFromRight>
Value str_partition(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const auto args = bind("partition", arguments, {"sep"}, 1);
  const std::string_view text = self.as_string();
  const std::string_view separator = need_separator(*args[0], "partition");
  const std::size_t at = kFromRight ? text.rfind(separator) : text.find(separator);
  Value parts[3] = {Value::string({}), Value::string({}), Value::string({})};
  if (at == std::string_view::npos) {
    parts[kFromRight ? 2 : 0] = self;
  } else {
    parts[0] = Value::string(text.substr(0, at));
    parts[1] = *args[0];
    parts[2] = Value::string(text.substr(at + separator.size()));
  }
  return make_tuple(runtime.heap(), parts);
}

template <bool kAtEnd>
Value str_starts(Runtime&, const Value& self, const Arguments& arguments) {
  constexpr std::string_view kName = kAtEnd ? "endswith" : "startswith";
  const auto args = bind(kName, arguments, {"prefix", "start", "end"}, 1);
  const Part part = part_of(self.as_string(), args[1], args[2], kName);
  const auto fits = [&](const Value& affix_value) {
    const std::string_view affix = need_string(affix_value, kName);
    if (!part.valid) return false;
    return kAtEnd ? part.text.ends_with(affix) : part.text.starts_with(affix);
  };
  if (!args[0]->is(Kind::kTuple)) return Value::boolean(fits(*args[0]));
  const auto affixes = args[0]->array().span();
  return Value::boolean(std::any_of(affixes.begin(), affixes.end(), fits));
}

template <bool kFromRight, bool kMustBeFound>
Value str_find(Runtime&, const Value& self, const Arguments& arguments) {
  const auto args = bind("find", arguments, {"sub", "start", "end"}, 1);
  const std::string_view wanted = need_string(*args[0], "find");
  const Part part = part_of(self.as_string(), args[1], args[2], "find");
  const std::size_t at = !part.valid  ? std::string_view::npos
                         : kFromRight ? part.text.rfind(wanted)
                                      : part.text.find(wanted);
  if (at != std::string_view::npos) {
    return Value::integer(count_code_points(self.as_string().substr(0, part.offset + at)));
  }
  if (kMustBeFound) fail("substring not found");
  return Value::integer(-1);
}

Value str_count(Runtime&, const Value& self, const Arguments& arguments) {
  const auto args = bind("count", arguments, {"sub", "start", "end"}, 1);
  const std::string_view wanted = need_string(*args[0], "count");
  const Part part = part_of(self.as_string(), args[1], args[2], "count");
  return Value::integer(part.valid ? count_parts(part.text, wanted) : 0);
}

Value str_replace(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const auto args = bind("replace", arguments, {"old", "new", "count"}, 2);
  const std::int64_t most = args[2] == nullptr ? -1 : need_int(*args[2], "replace");
  return replace_text(runtime, self.as_string(), need_string(*args[0], "replace"),
                      need_string(*args[1], "replace"), most);
}

Value str_join(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const auto args = bind("join", arguments, {"iterable"}, 1);
  require_defined(*args[0]);
  std::string text;
  bool first = true;
  Iterator& items = iterate(runtime, *args[0]);
  for (Value item; items.next(runtime, item);) {
    if (!first) text += self.as_string();
    first = false;
    text += need_string(item, "join");
    runtime.heap().charge(self.as_string().size() + item.as_string().size());
  }
  return runtime.text(text);
}

Value str_format(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return format_braces(runtime, self.as_string(), arguments);
}

template <bool kPrefix>
Value str_remove(Runtime&, const Value& self, const Arguments& arguments) {
  const auto args = bind("removeprefix", arguments, {"affix"}, 1);
  std::string_view text = self.as_string();
  const std::string_view affix = need_string(*args[0], "removeprefix");
  if (kPrefix && text.starts_with(affix)) text.remove_prefix(affix.size());
  if (!kPrefix && text.ends_with(affix)) text.remove_suffix(affix.size());
  return Value::string(text);
}

// ljust, rjust, center, zfill.
enum class Justify { kLeft, kRight, kCenter, kZeros };

template <Justify kWay>
Value str_justify(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const auto args = bind("justify", arguments, {"width", "fillchar"}, 1);
  const std::string_view text = self.as_string();
  const std::int64_t width = need_int(*args[0], "justify");
  const std::string_view fill = kWay == Justify::kZeros ? "0"
                                : args[1] == nullptr    ? " "
                                                        : need_string(*args[1], "justify");
  if (count_code_points(fill) != 1) fail("the fill character must be exactly one character long");
  const std::int64_t missing = width - count_code_points(text);
  if (missing <= 0) return self;
  std::int64_t left = kWay == Justify::kLeft ? 0 : missing;
  if (kWay == Justify::kCenter) left = missing / 2 + (missing & width & 1);
  runtime.heap().charge(static_cast<std::size_t>(missing));
  std::string result;
  const bool after_sign =
      kWay == Justify::kZeros && !text.empty() && (text[0] == '-' || text[0] == '+');
  if (after_sign) result = text.substr(0, 1);
  for (std::int64_t i = 0; i < left; ++i) result += fill;
  result += after_sign ? text.substr(1) : text;
  for (std::int64_t i = left; i < missing; ++i) result += fill;
  return runtime.text(result);
}

const std::unordered_map<std::string_view, Method>& string_methods() {
  static const std::unordered_map<std::string_view, Method> methods = {
      {"strip", str_strip<strip>},
      {"lstrip", str_strip<strip_left>},
      {"rstrip", str_strip<strip_right>},
      {"upper", str_change<upper>},
      {"lower", str_change<lower>},
      {"capitalize", str_change<capitalize>},
      {"title", str_change<title>},
      {"swapcase", str_change<swap_case>},
      {"isalpha", str_all<is_alpha>},
      {"isalnum", str_all<is_alphanumeric>},
      {"isdigit", str_all<is_digit>},
      {"isdecimal", str_all<is_decimal>},
      {"isnumeric", str_all<is_numeric>},
      {"isspace", str_all<is_space>},
      {"isascii", str_is_ascii},
      {"isupper", str_all_cased<is_upper>},
      {"islower", str_all_cased<is_lower>},
      {"split", str_split<false>},
      {"rsplit", str_split<true>},
      {"splitlines", str_split_lines},
      {"partition", str_partition<false>},
      {"rpartition", str_partition<true>},
      {"startswith", str_starts<false>},
      {"endswith", str_starts<true>},
      {"find", str_find<false, false>},
      {"rfind", str_find<true, false>},
      {"index", str_find<false, true>},
      {"rindex", str_find<true, true>},
      {"count", str_count},
      {"replace", str_replace},
      {"join", str_join},
      {"format", str_format},
      {"removeprefix", str_remove<true>},
      {"removesuffix", str_remove<false>},
      {"ljust", str_justify<Justify::kLeft>},
      {"rjust", str_justify<Justify::kRight>},
      {"center", str_justify<Justify::kCenter>},
      {"zfill", str_justify<Justify::kZeros>}};
  return methods;
}

constexpr std::array<std::string_view, 9> kOtherStringMethods = {
    "encode",      "casefold", "expandtabs", "format_map", "isidentifier",
    "isprintable", "istitle",  "maketrans",  "translate"};

// ---- dict, list ----

Value dict_get(Runtime& runtime, const Value& self, const Arguments& arguments) {
  if (!arguments.keywords.empty()) fail("dict.get: takes no keyword arguments");
  const auto args = bind("dict.get", arguments, {"key", "default"}, 1);
  const Value* found = find(runtime.heap(), self.dict(), *args[0]);
  if (found != nullptr) return *found;
  return args[1] == nullptr ? Value::none() : *args[1];
}

template <View::What kWhat>
Value dict_view(Runtime& runtime, const Value& self, const Arguments& arguments) {
  if (!arguments.positional.empty() || !arguments.keywords.empty())
    fail("this method takes no arguments");
  return Value::view(runtime.heap().make<View>(&self.dict(), kWhat));
}

Value copy_self(Runtime&, const Value& self, const Arguments&) {
  return self;
}  // nothing can change it

Value list_count(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const auto args = bind("count", arguments, {"value"}, 1);
  const auto items = self.array().span();
  return Value::integer(std::count_if(items.begin(), items.end(), [&](const Value& item) {
    return equal(runtime.heap(), item, *args[0]);
  }));
}

Value list_index(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const auto args = bind("index", arguments, {"value"}, 1);
  for (std::size_t i = 0; i < self.array().size; ++i) {
    if (equal(runtime.heap(), self.array().items[i], *args[0])) {
      return Value::integer(static_cast<std::int64_t>(i));
    }
  }
  fail("the value is not in the list");
}

Value loop_cycle(Runtime&, const Value& self, const Arguments& arguments) {
  if (arguments.positional.empty()) fail("loop.cycle: no items given");
  const auto size = static_cast<std::int64_t>(arguments.positional.size());
  return arguments.positional[static_cast<std::size_t>(self.loop().index0() % size)];
}

Value loop_changed(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Value values = make_tuple(runtime.heap(), arguments.positional);
  return Value::boolean(self.loop().changed(runtime.heap(), values));
}

Value loop_again(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const auto args = bind("loop", arguments, {"iterable"}, 1);
  if (self.loop().body() == nullptr) {
    fail("the loop must have the 'recursive' marker to be called recursively");
  }
  return self.loop().body()->render(runtime, *args[0], self.loop().depth());
}

constexpr std::array<std::string_view, 5> kDictMutators = {"clear", "pop", "popitem", "setdefault",
                                                           "update"};
constexpr std::array<std::string_view, 8> kListMutators = {"append", "clear", "pop",    "reverse",
                                                           "insert", "sort",  "extend", "remove"};

template <std::size_t kSize>
bool is_among(std::string_view name, const std::array<std::string_view, kSize>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

class BoundMethod final : public Callable {
 public:
  BoundMethod(Method method, const Value& self, std::string_view name)
      : method_(method), self_(self), name_(name) {}
  Value call(Runtime& runtime, const Arguments& arguments) const override {
    if (self_.is(Kind::kString)) runtime.heap().step_bytes(self_.as_string().size());
    return method_(runtime, self_, arguments);
  }
  std::string_view name() const override { return name_; }

 private:
  Method method_;
  Value self_;
  std::string_view name_;
};

Method dict_method(std::string_view name) {
  if (name == "get") return dict_get;
  if (name == "items") return dict_view<View::What::kItems>;
  if (name == "keys") return dict_view<View::What::kKeys>;
  if (name == "values") return dict_view<View::What::kValues>;
  return name == "copy" ? copy_self : nullptr;
}

Method array_method(std::string_view name, bool is_list) {
  if (name == "count") return list_count;
  if (name == "index") return list_index;
  return name == "copy" && is_list ? copy_self : nullptr;
}

}  // namespace

bool is_dict_attribute(std::string_view name) {
  return dict_method(name) != nullptr || is_among(name, kDictMutators) || name == "fromkeys" ||
         name.starts_with("__");
}

std::optional<Value> attribute(Runtime& runtime, const Value& value, std::string_view name) {
  Heap& heap = runtime.heap();
  const auto bound = [&](Method method) {
    return Value::callable(heap.make<BoundMethod>(method, value, name));
  };
  const auto unsafe = [&] { return undefined_attribute(heap, value, name, true); };
  if (name.starts_with("__") && name.ends_with("__") && name.size() > 4) return unsafe();
  switch (value.kind()) {
    case Kind::kString: {
      const auto found = string_methods().find(name);
      if (found != string_methods().end()) return bound(found->second);
      if (is_among(name, kOtherStringMethods))
        fail("the string method '{}' is not supported", name);
      return std::nullopt;
    }
    case Kind::kDict:
      if (const Method method = dict_method(name)) return bound(method);
      if (name == "fromkeys") fail("the dict method 'fromkeys' is not supported");
      return is_among(name, kDictMutators) ? std::optional(unsafe()) : std::nullopt;
    case Kind::kList:
    case Kind::kTuple:
      if (const Method method = array_method(name, value.is(Kind::kList))) return bound(method);
      return value.is(Kind::kList) && is_among(name, kListMutators) ? std::optional(unsafe())
                                                                    : std::nullopt;
    case Kind::kNamespace: {
      const Value* found = find(value.name_space(), name);
      return found == nullptr ? std::nullopt : std::optional(*found);
    }
    case Kind::kLoop:
      if (name == "cycle") return bound(loop_cycle);
      if (name == "changed") return bound(loop_changed);
      return value.loop().attribute(runtime, name);
    case Kind::kCallable:
      return name == "name" ? std::optional(Value::string(value.callable().name())) : std::nullopt;
    default:
      return std::nullopt;
  }
}

Value call_loop(Runtime& runtime, const Value& loop, const Arguments& arguments) {
  return loop_again(runtime, loop, arguments);
}

Value replace_text(Runtime& runtime, std::string_view text, std::string_view old,
                   std::string_view fresh, std::int64_t most) {
  Heap& heap = runtime.heap();
  heap.step_bytes(text.size());
  std::string result;
  std::size_t at = 0;
  std::int64_t done = 0;
  const auto put = [&](std::string_view part) {
    heap.charge(part.size());
    result += part;
  };
  while (most < 0 || done < most) {
    const std::size_t found = old.empty() ? at : text.find(old, at);
    if (found == std::string_view::npos) break;
    ++done;
    put(text.substr(at, found - at));
    put(fresh);
    at = found + old.size();
    if (!old.empty()) continue;
    if (at == text.size())
      return runtime.text(result);  // an empty text lies between all code points
    const std::size_t size = size_at(text, at);
    put(text.substr(at, size));
    at += size;
  }
  if (done == 0) return Value::string(text);
  put(text.substr(at));
  return runtime.text(result);
}

}  // namespace laurel::chat::jinja
