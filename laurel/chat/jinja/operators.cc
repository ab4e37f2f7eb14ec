#include "laurel/chat/jinja/operators.h"

#include <cmath>
#include <limits>

#include "laurel/base/utf8.h"
#include "laurel/chat/jinja/format.h"
#include "laurel/chat/jinja/loop.h"
#include "laurel/chat/jinja/methods.h"
#include "laurel/chat/jinja/print.h"
#include "laurel/chat/jinja/text.h"

namespace laurel::chat::jinja {
namespace {

constexpr std::string_view kSymbols[] = {"+", "-", "*", "/", "//", "%", "**"};

[[noreturn]] void unsupported(BinaryOperator op, const Value& a, const Value& b) {
  fail("unsupported operand types for {}: '{}' and '{}'", kSymbols[static_cast<int>(op)],
       type_name(a), type_name(b));
}

[[noreturn]] void overflow() { fail(ErrorKind::kLimit, "an integer does not fit 64 bits"); }

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  if (b == -1) {
    if (a == std::numeric_limits<std::int64_t>::min()) overflow();
    return -a;
  }
  return a / b - (a % b != 0 && (a % b < 0) != (b < 0) ? 1 : 0);
}

std::int64_t modulo(std::int64_t a, std::int64_t b) {
  if (b == -1) return 0;
  const std::int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

// Python's float % and //.
double modulo(double a, double b) {
  double rest = std::fmod(a, b);
  if (rest != 0) return (rest < 0) != (b < 0) ? rest + b : rest;
  return std::copysign(0.0, b);
}

double floor_divide(double a, double b) {
  const double quotient = (a - modulo(a, b)) / b;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double whole = std::floor(quotient);
  return quotient - whole > 0.5 ? whole + 1 : whole;
}

Value power(std::int64_t base, std::int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) fail("0.0 cannot be raised to a negative power");
    return Value::real(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  std::int64_t result = 1;
  std::int64_t square = base;
  for (; exponent > 0; exponent /= 2) {
    if (exponent % 2 == 1 && __builtin_mul_overflow(result, square, &result)) overflow();
    if (exponent > 1 && __builtin_mul_overflow(square, square, &square)) overflow();
  }
  return Value::integer(result);
}

Value power(double base, double exponent) {
  if (base == 0 && exponent < 0) fail("0.0 cannot be raised to a negative power");
  if (base < 0 && exponent != std::floor(exponent) && std::isfinite(exponent)) {
    fail("complex numbers are not supported");
  }
  const double result = std::pow(base, exponent);
  if (std::isinf(result) && std::isfinite(base) && std::isfinite(exponent))
    fail("numerical result out of range");
  return Value::real(result);
}

Value integer_arithmetic(BinaryOperator op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  bool too_big = false;
  switch (op) {
    case BinaryOperator::kAdd:
      too_big = __builtin_add_overflow(a, b, &result);
      break;
    case BinaryOperator::kSubtract:
      too_big = __builtin_sub_overflow(a, b, &result);
      break;
    case BinaryOperator::kMultiply:
      too_big = __builtin_mul_overflow(a, b, &result);
      break;
    case BinaryOperator::kPower:
      return power(a, b);
    default:
      if (b == 0) fail("division by zero");
      if (op == BinaryOperator::kDivide)
        return Value::real(static_cast<double>(a) / static_cast<double>(b));
      result = op == BinaryOperator::kModulo ? modulo(a, b) : floor_divide(a, b);
  }
  if (too_big) overflow();
  return Value::integer(result);
}

Value float_arithmetic(BinaryOperator op, double a, double b) {
  switch (op) {
    case BinaryOperator::kAdd:
      return Value::real(a + b);
    case BinaryOperator::kSubtract:
      return Value::real(a - b);
    case BinaryOperator::kMultiply:
      return Value::real(a * b);
    case BinaryOperator::kPower:
      return power(a, b);
    default:
      if (b == 0) fail("division by zero");
      if (op == BinaryOperator::kDivide) return Value::real(a / b);
      return Value::real(op == BinaryOperator::kModulo ? modulo(a, b) : floor_divide(a, b));
  }
}

Value join_arrays(Heap& heap, const Value& a, const Value& b) {
  const std::size_t size = a.array().size + b.array().size;
  Value* items = heap.make_array<Value>(size);
  std::copy_n(a.array().items, a.array().size, items);
  std::copy_n(b.array().items, b.array().size, items + a.array().size);
  const Array* array = heap.make<Array>(items, size);
  return a.is(Kind::kList) ? Value::list(array) : Value::tuple(array);
}

// A text or list many times over.
Value repeat(Heap& heap, const Value& value, std::int64_t times) {
  const std::size_t size =
      value.is(Kind::kString) ? value.as_string().size() : value.array().size * sizeof(Value);
  const auto count = static_cast<std::size_t>(std::max<std::int64_t>(times, 0));
  std::size_t total = 0;
  if (__builtin_mul_overflow(size, count, &total)) total = SIZE_MAX / 2;
  if (value.is(Kind::kString)) {
    if (total == 0) return Value::string({});
    char* text = static_cast<char*>(heap.allocate(total));
    for (std::size_t i = 0; i < count; ++i) value.as_string().copy(text + i * size, size);
    return Value::string({text, total});
  }
  auto* items = static_cast<Value*>(heap.allocate(total));
  const std::size_t length = total / sizeof(Value);
  for (std::size_t i = 0; i < length; ++i)
    new (items + i) Value(value.array().items[i % value.array().size]);
  const Array* array = heap.make<Array>(items, length);
  return value.is(Kind::kList) ? Value::list(array) : Value::tuple(array);
}

class TextIterator final : public Iterator {
 public:
  explicit TextIterator(std::string_view text) : text_(text) {}
  bool next(Runtime&, Value& value) override {
    if (text_.empty()) return false;
    const std::size_t size = size_at(text_, 0);
    value = Value::string(text_.substr(0, size));
    text_.remove_prefix(size);
    return true;
  }

 private:
  std::string_view text_;
};

class DictIterator final : public Iterator {
 public:
  DictIterator(const Dict& dict, View::What what) : dict_(&dict), what_(what) {}
  bool next(Runtime& runtime, Value& value) override {
    if (at_ == dict_->size) return false;
    const Entry& entry = dict_->entries[at_++];
    if (what_ == View::What::kItems) {
      const Value pair[] = {entry.key, entry.value};
      value = make_tuple(runtime.heap(), pair);
    } else {
      value = what_ == View::What::kKeys ? entry.key : entry.value;
    }
    return true;
  }

 private:
  const Dict* dict_;
  View::What what_;
  std::size_t at_ = 0;
};

class RangeIterator final : public Iterator {
 public:
  explicit RangeIterator(const Range& range) : range_(&range) {}
  bool next(Runtime&, Value& value) override {
    if (at_ == range_->size) return false;
    value = Value::integer(range_->at(at_++));
    return true;
  }

 private:
  const Range* range_;
  std::int64_t at_ = 0;
};

class NoItems final : public Iterator {
 public:
  bool next(Runtime&, Value&) override { return false; }
};

// Where Python's slice(start, stop, step) goes in a sequence of `size` items.
struct SliceRange {
  std::int64_t start, step, count;
};

std::int64_t slice_part(const Value& value, std::int64_t otherwise) {
  if (value.is(Kind::kNone)) return otherwise;
  if (!value.is_integral())
    fail("slice indices must be integers or none, got {}", type_name(value));
  return value.as_int();
}

SliceRange slice_range(const Value& start, const Value& stop, const Value& step,
                       std::int64_t size) {
  const std::int64_t by = std::max(slice_part(step, 1), -std::numeric_limits<std::int64_t>::max());
  if (by == 0) fail("slice step cannot be zero");
  const auto clamp = [&](const Value& part, std::int64_t otherwise) {
    std::int64_t at = slice_part(part, otherwise);
    if (part.is(Kind::kNone)) return at;
    if (at < 0) at = std::max(at + size, by < 0 ? std::int64_t{-1} : std::int64_t{0});
    return std::min(at, by < 0 ? size - 1 : size);
  };
  const std::int64_t first = clamp(start, by < 0 ? size - 1 : 0);
  const std::int64_t end = clamp(stop, by < 0 ? -1 : size);
  const std::int64_t distance = by < 0 ? first - end : end - first;
  const std::int64_t stride = by < 0 ? -by : by;
  return {first, by, distance <= 0 ? 0 : (distance - 1) / stride + 1};
}

Value slice_text(Runtime& runtime, std::string_view text, const Value& start, const Value& stop,
                 const Value& step) {
  runtime.heap().step_bytes(text.size());
  const std::int64_t size = count_code_points(text);
  const SliceRange range = slice_range(start, stop, step, size);
  if (range.step == 1) {
    const std::size_t begin = offset_of(text, range.start);
    const std::string_view rest = text.substr(begin);
    return Value::string(rest.substr(0, offset_of(rest, range.count)));
  }
  std::vector<std::size_t> offsets;  // of every code point
  for (std::size_t at = 0; at < text.size(); at += size_at(text, at)) offsets.push_back(at);
  std::string result;
  for (std::int64_t i = 0; i < range.count; ++i) {
    const std::size_t at = offsets[static_cast<std::size_t>(range.start + i * range.step)];
    result += text.substr(at, size_at(text, at));
  }
  return runtime.text(result);
}

Value slice_array(Heap& heap, const Value& value, const SliceRange& range) {
  Value* items = heap.make_array<Value>(static_cast<std::size_t>(range.count));
  for (std::int64_t i = 0; i < range.count; ++i) {
    items[i] = value.array().items[range.start + i * range.step];
  }
  const Array* array = heap.make<Array>(items, static_cast<std::size_t>(range.count));
  return value.is(Kind::kList) ? Value::list(array) : Value::tuple(array);
}

// The item at an index of a sequence, or nullopt if there is none.
std::optional<Value> item_at(Runtime& runtime, const Value& value, std::int64_t index) {
  const std::int64_t size = *length(runtime, value);
  if (index < 0) index += size;
  if (index < 0 || index >= size) return std::nullopt;
  if (value.is(Kind::kRange)) return Value::integer(value.range().at(index));
  if (value.is_sequence()) return value.array().items[index];
  const std::string_view text = value.as_string();
  const std::size_t at = offset_of(text, index);
  return Value::string(text.substr(at, size_at(text, at)));
}

// value[key] without the sandbox's detours; nullopt for Python's TypeError and LookupError.
std::optional<Value> plain_item(Runtime& runtime, const Value& value, const Value& key) {
  switch (value.kind()) {
    case Kind::kDict: {
      if (!hashable(key)) return std::nullopt;
      const Value* found = find(runtime.heap(), value.dict(), key);
      return found == nullptr ? std::nullopt : std::optional(*found);
    }
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kRange:
    case Kind::kString:
      return key.is_integral() ? item_at(runtime, value, key.as_int()) : std::nullopt;
    default:
      return std::nullopt;
  }
}

}  // namespace

bool truthy(Runtime& runtime, const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
      return value.as_bool();
    case Kind::kInt:
      return value.as_int() != 0;
    case Kind::kFloat:
      return value.as_double() != 0;
    case Kind::kString:
      return !value.as_string().empty();
    case Kind::kList:
    case Kind::kTuple:
      return value.array().size != 0;
    case Kind::kDict:
      return value.dict().size != 0;
    case Kind::kView:
      return value.view().dict->size != 0;
    case Kind::kRange:
      return value.range().size != 0;
    case Kind::kLoop:
      return value.loop().length(runtime) != 0;
    case Kind::kIterator:
    case Kind::kNamespace:
    case Kind::kCallable:
      return true;
  }
  return true;
}

Value binary(Runtime& runtime, BinaryOperator op, const Value& a, const Value& b) {
  Heap& heap = runtime.heap();
  if (op == BinaryOperator::kModulo && a.is(Kind::kString)) {
    return format_percent(runtime, a.as_string(), b);
  }
  require_defined(a);
  require_defined(b);
  if (a.is_integral() && b.is_integral()) return integer_arithmetic(op, a.as_int(), b.as_int());
  if (a.is_number() && b.is_number()) return float_arithmetic(op, a.as_double(), b.as_double());
  if (op == BinaryOperator::kAdd && a.kind() == b.kind()) {
    if (a.is(Kind::kString)) {
      const std::string_view x = a.as_string();
      const std::string_view y = b.as_string();
      if (x.empty() && y.empty()) return a;
      char* text = static_cast<char*>(heap.allocate(x.size() + y.size()));
      x.copy(text, x.size());
      y.copy(text + x.size(), y.size());
      return Value::string({text, x.size() + y.size()});
    }
    if (a.is_sequence()) return join_arrays(heap, a, b);
  }
  if (op == BinaryOperator::kMultiply) {
    const auto repeatable = [](const Value& v) { return v.is(Kind::kString) || v.is_sequence(); };
    if (repeatable(a) && b.is_integral()) return repeat(heap, a, b.as_int());
    if (repeatable(b) && a.is_integral()) return repeat(heap, b, a.as_int());
  }
  unsupported(op, a, b);
}

Value negate(const Value& value) {
  require_defined(value);
  if (value.is_integral()) return integer_arithmetic(BinaryOperator::kSubtract, 0, value.as_int());
  if (value.is(Kind::kFloat)) return Value::real(-value.as_double());
  fail("bad operand type for unary -: '{}'", type_name(value));
}

Value plus(const Value& value) {
  require_defined(value);
  if (value.is_integral()) return Value::integer(value.as_int());
  if (value.is(Kind::kFloat)) return value;
  fail("bad operand type for unary +: '{}'", type_name(value));
}

bool contains(Runtime& runtime, const Value& container, const Value& item) {
  Heap& heap = runtime.heap();
  switch (container.kind()) {
    case Kind::kString:
      if (!item.is(Kind::kString))
        fail("'in' a string needs a string on the left, got {}", type_name(item));
      heap.step_bytes(container.as_string().size());
      return container.as_string().find(item.as_string()) != std::string_view::npos;
    case Kind::kDict:
      return find(heap, container.dict(), item) != nullptr;
    default:
      break;
  }
  Iterator& items = iterate(runtime, container);
  for (Value other; items.next(runtime, other);) {
    if (equal(heap, item, other)) return true;
  }
  return false;
}

bool is_iterable(const Value& value) {
  switch (value.kind()) {
    case Kind::kNone:
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kFloat:
    case Kind::kNamespace:
    case Kind::kCallable:
      return false;
    default:
      return true;
  }
}

Iterator& iterate(Runtime& runtime, const Value& value) {
  Heap& heap = runtime.heap();
  heap.step();
  switch (value.kind()) {
    case Kind::kUndefined:
      return *heap.make<NoItems>();
    case Kind::kString:
      return *heap.make<TextIterator>(value.as_string());
    case Kind::kList:
    case Kind::kTuple:
      return *heap.make<ArrayIterator>(value.array());
    case Kind::kDict:
      return *heap.make<DictIterator>(value.dict(), View::What::kKeys);
    case Kind::kView:
      return *heap.make<DictIterator>(*value.view().dict, value.view().what);
    case Kind::kRange:
      return *heap.make<RangeIterator>(value.range());
    case Kind::kIterator:
      return value.iterator();
    default:
      fail("'{}' object is not iterable", type_name(value));
  }
}

std::vector<Value> collect(Runtime& runtime, const Value& value) {
  std::vector<Value> items;
  Iterator& iterator = iterate(runtime, value);
  for (Value item; iterator.next(runtime, item);) {
    runtime.heap().charge(sizeof(Value));
    items.push_back(item);
  }
  return items;
}

std::optional<std::int64_t> length(Runtime& runtime, const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return 0;
    case Kind::kString:
      runtime.heap().step_bytes(value.as_string().size());
      return count_code_points(value.as_string());
    case Kind::kList:
    case Kind::kTuple:
      return static_cast<std::int64_t>(value.array().size);
    case Kind::kDict:
      return static_cast<std::int64_t>(value.dict().size);
    case Kind::kView:
      return static_cast<std::int64_t>(value.view().dict->size);
    case Kind::kRange:
      return value.range().size;
    case Kind::kLoop:
      return value.loop().length(runtime);
    default:
      return std::nullopt;
  }
}

Value get_item(Runtime& runtime, const Value& value, const Value& key) {
  require_defined(value);
  if (const auto item = plain_item(runtime, value, key)) return *item;
  if (key.is(Kind::kString)) {
    if (const auto found = attribute(runtime, value, key.as_string())) return *found;
    return undefined_attribute(runtime.heap(), value, key.as_string());
  }
  return undefined_attribute(runtime.heap(), value, to_str(runtime.heap(), key));
}

Value get_attribute(Runtime& runtime, const Value& value, std::string_view name) {
  require_defined(value);
  if (const auto found = attribute(runtime, value, name)) return *found;
  if (value.is(Kind::kDict)) {
    const Value* item = find(runtime.heap(), value.dict(), Value::string(name));
    if (item != nullptr) return *item;
  }
  return undefined_attribute(runtime.heap(), value, name);
}

Value slice(Runtime& runtime, const Value& value, const Value& start, const Value& stop,
            const Value& step) {
  require_defined(value);
  if (value.is(Kind::kString)) return slice_text(runtime, value.as_string(), start, stop, step);
  if (value.is_sequence()) {
    const auto size = static_cast<std::int64_t>(value.array().size);
    return slice_array(runtime.heap(), value, slice_range(start, stop, step, size));
  }
  if (value.is(Kind::kRange)) {
    const Range& whole = value.range();
    const SliceRange part = slice_range(start, stop, step, whole.size);
    const std::int64_t first = whole.at(part.start);
    std::int64_t by = 0;
    std::int64_t stop_at = 0;
    if (__builtin_mul_overflow(whole.step, part.step, &by) ||
        __builtin_mul_overflow(by, part.count, &stop_at) ||
        __builtin_add_overflow(first, stop_at, &stop_at)) {
      overflow();
    }
    return make_range(runtime, first, stop_at, by);
  }
  fail("'{}' object cannot be sliced", type_name(value));
}

Value undefined_attribute(Heap& heap, const Value& value, std::string_view name, bool unsafe) {
  return Value::undefined(
      heap.make<UndefinedInfo>(UndefinedInfo::Reason::kAttribute, name, type_name(value), unsafe));
}

Value undefined_hint(Heap& heap, std::string_view text) {
  return Value::undefined(heap.make<UndefinedInfo>(UndefinedInfo::Reason::kHint, text));
}

Value make_range(Runtime& runtime, std::int64_t start, std::int64_t stop, std::int64_t step) {
  if (step == 0) fail("range() step must not be zero");
  const auto unsigned_of = [](std::int64_t value) { return static_cast<std::uint64_t>(value); };
  const std::uint64_t distance =
      step > 0 ? unsigned_of(stop) - unsigned_of(start) : unsigned_of(start) - unsigned_of(stop);
  const std::uint64_t stride = step > 0 ? unsigned_of(step) : 0 - unsigned_of(step);
  const bool empty = step > 0 ? start >= stop : start <= stop;
  const std::uint64_t size = empty ? 0 : (distance - 1) / stride + 1;
  constexpr int kMaxRange = 100000;  // the sandbox's limit
  if (size > kMaxRange) fail("range() must not have more than {} items", kMaxRange);
  return Value::range(
      runtime.heap().make<Range>(start, stop, step, static_cast<std::int64_t>(size)));
}

}  // namespace laurel::chat::jinja
