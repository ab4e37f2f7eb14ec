// What follows `is`.
#include <unordered_map>

#include "laurel/base/utf8.h"
#include "laurel/chat/jinja/builtins.h"
#include "laurel/chat/jinja/case_mapping.h"
#include "laurel/chat/jinja/operators.h"
#include "laurel/chat/jinja/print.h"

namespace laurel::chat::jinja {
namespace {

// The value, for a test without further arguments.
const Value& subject(const Arguments& arguments, std::string_view test) {
  return *bind(test, arguments, {"value"}, 1)[0];
}

template <Kind... kKinds>
bool is_kind(Runtime&, const Arguments& arguments) {
  const Kind kind = subject(arguments, "test").kind();
  return ((kind == kKinds) || ...);
}

bool is_defined(Runtime&, const Arguments& arguments) {
  return !subject(arguments, "defined").is(Kind::kUndefined);
}

template <bool kWanted>
bool is_bool(Runtime&, const Arguments& arguments) {
  const Value& value = subject(arguments, "test");
  return value.is(Kind::kBool) && value.as_bool() == kWanted;
}

bool is_sequence(Runtime&, const Arguments& arguments) {
  switch (subject(arguments, "sequence").kind()) {
    case Kind::kUndefined:
    case Kind::kString:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
    case Kind::kRange:
      return true;
    default:
      return false;
  }
}

bool is_iterable_test(Runtime&, const Arguments& arguments) {
  return is_iterable(subject(arguments, "iterable"));
}

bool is_callable(Runtime&, const Arguments& arguments) {
  const Value& value = subject(arguments, "callable");
  return value.is(Kind::kCallable) || value.is(Kind::kUndefined) || value.is(Kind::kLoop);
}

// value % divisor == wanted.
bool has_rest(Runtime& runtime, const Value& value, const Value& divisor, std::int64_t wanted) {
  const Value rest = binary(runtime, BinaryOperator::kModulo, value, divisor);
  return equal(runtime.heap(), rest, Value::integer(wanted));
}

template <int kRest>
bool is_parity(Runtime& runtime, const Arguments& arguments) {
  return has_rest(runtime, subject(arguments, "test"), Value::integer(2), kRest);
}

bool is_divisible(Runtime& runtime, const Arguments& arguments) {
  const auto args = bind("divisibleby", arguments, {"value", "num"}, 2);
  return has_rest(runtime, *args[0], *args[1], 0);
}

// The text has letters with case, and all have this one.
template <bool (*kWanted)(char32_t)>
bool is_case(Runtime& runtime, const Arguments& arguments) {
  const std::string_view text = to_str(runtime.heap(), subject(arguments, "test"));
  bool any = false;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t code = decode_utf8(text, at);
    if (!is_cased(code)) continue;
    if (!kWanted(code)) return false;
    any = true;
  }
  return any;
}

enum class Comparison { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual };

template <Comparison kComparison>
bool compares(Runtime& runtime, const Arguments& arguments) {
  const auto args = bind("comparison", arguments, {"a", "b"}, 2);
  Heap& heap = runtime.heap();
  switch (kComparison) {
    case Comparison::kEqual:
      return equal(heap, *args[0], *args[1]);
    case Comparison::kNotEqual:
      return !equal(heap, *args[0], *args[1]);
    case Comparison::kLess:
      return less(heap, *args[0], *args[1]);
    case Comparison::kLessEqual:
      return less_or_equal(heap, *args[0], *args[1]);
    case Comparison::kGreater:
      return less(heap, *args[1], *args[0]);
    case Comparison::kGreaterEqual:
      return less_or_equal(heap, *args[1], *args[0]);
  }
  return false;
}

bool is_in(Runtime& runtime, const Arguments& arguments) {
  const auto args = bind("in", arguments, {"value", "seq"}, 2);
  return contains(runtime, *args[1], *args[0]);
}

bool is_same(Runtime& runtime, const Arguments& arguments) {
  const auto args = bind("sameas", arguments, {"value", "other"}, 2);
  if (args[0]->kind() != args[1]->kind()) return false;
  switch (args[0]->kind()) {
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
      return args[0]->address() == args[1]->address();
    default:
      return equal(runtime.heap(), *args[0], *args[1]);
  }
}

bool is_filter(Runtime&, const Arguments& arguments) {
  const Value& value = subject(arguments, "filter");
  return value.is(Kind::kString) && find_filter(value.as_string()) != nullptr;
}

bool is_test(Runtime&, const Arguments& arguments) {
  const Value& value = subject(arguments, "test");
  return value.is(Kind::kString) && find_test(value.as_string()) != nullptr;
}

bool is_escaped(Runtime&, const Arguments&) { return false; }

}  // namespace

Test find_test(std::string_view name) {
  static const std::unordered_map<std::string_view, Test> tests = {
      {"defined", is_defined},
      {"undefined", is_kind<Kind::kUndefined>},
      {"none", is_kind<Kind::kNone>},
      {"boolean", is_kind<Kind::kBool>},
      {"integer", is_kind<Kind::kInt>},
      {"float", is_kind<Kind::kFloat>},
      {"number", is_kind<Kind::kInt, Kind::kFloat, Kind::kBool>},
      {"string", is_kind<Kind::kString>},
      {"mapping", is_kind<Kind::kDict>},
      {"sequence", is_sequence},
      {"iterable", is_iterable_test},
      {"callable", is_callable},
      {"true", is_bool<true>},
      {"false", is_bool<false>},
      {"odd", is_parity<1>},
      {"even", is_parity<0>},
      {"divisibleby", is_divisible},
      {"lower", is_case<is_lower>},
      {"upper", is_case<is_upper>},
      {"in", is_in},
      {"sameas", is_same},
      {"filter", is_filter},
      {"test", is_test},
      {"escaped", is_escaped},
      {"==", compares<Comparison::kEqual>},
      {"eq", compares<Comparison::kEqual>},
      {"equalto", compares<Comparison::kEqual>},
      {"!=", compares<Comparison::kNotEqual>},
      {"ne", compares<Comparison::kNotEqual>},
      {"<", compares<Comparison::kLess>},
      {"lt", compares<Comparison::kLess>},
      {"lessthan", compares<Comparison::kLess>},
      {"<=", compares<Comparison::kLessEqual>},
      {"le", compares<Comparison::kLessEqual>},
      {">", compares<Comparison::kGreater>},
      {"gt", compares<Comparison::kGreater>},
      {"greaterthan", compares<Comparison::kGreater>},
      {">=", compares<Comparison::kGreaterEqual>},
      {"ge", compares<Comparison::kGreaterEqual>}};
  const auto found = tests.find(name);
  return found == tests.end() ? nullptr : found->second;
}

}  // namespace laurel::chat::jinja
