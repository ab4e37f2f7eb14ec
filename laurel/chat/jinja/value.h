// Values of the template language, with Python's meaning.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "laurel/base/json.h"
#include "laurel/chat/jinja/heap.h"

namespace laurel::chat::jinja {

enum class Kind : std::uint8_t {
  kUndefined,
  kNone,
  kBool,
  kInt,
  kFloat,
  kString,
  kList,
  kTuple,
  kDict,
  kView,  // what dict.items(), .keys(), .values() give
  kRange,
  kIterator,  // generators and reversed(): one pass, always true
  kNamespace,
  kLoop,
  kCallable,
};

struct Array;
struct Dict;
struct View;
struct Range;
struct Namespace;
struct UndefinedInfo;
class Iterator;
class Loop;
class Callable;

// A value, or a pointer to one on the Heap (or, for text and constants, in the template or the
// variables). Trivial to copy; lives as long as the rendering.
class Value {
 public:
  Value() = default;  // undefined without a reason

  static Value none() { return Value(Kind::kNone); }
  static Value boolean(bool value) {
    return make(Kind::kBool, [&](Value& v) { v.bool_ = value; });
  }
  static Value integer(std::int64_t value) {
    return make(Kind::kInt, [&](Value& v) { v.int_ = value; });
  }
  static Value real(double value) {
    return make(Kind::kFloat, [&](Value& v) { v.float_ = value; });
  }
  // The text must outlive the value and be valid UTF-8.
  static Value string(std::string_view text) {
    return make(Kind::kString, [&](Value& v) { v.chars_ = text.data(), v.size_ = text.size(); });
  }
  static Value undefined(const UndefinedInfo* info) { return pointer(Kind::kUndefined, info); }
  static Value list(const Array* array) { return pointer(Kind::kList, array); }
  static Value tuple(const Array* array) { return pointer(Kind::kTuple, array); }
  static Value dict(const Dict* dict) { return pointer(Kind::kDict, dict); }
  static Value view(const View* view) { return pointer(Kind::kView, view); }
  static Value range(const Range* range) { return pointer(Kind::kRange, range); }
  static Value iterator(Iterator* iterator) { return pointer(Kind::kIterator, iterator); }
  static Value name_space(Namespace* space) { return pointer(Kind::kNamespace, space); }
  static Value loop(Loop* loop) { return pointer(Kind::kLoop, loop); }
  static Value callable(const Callable* callable) { return pointer(Kind::kCallable, callable); }

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  bool is_number() const { return is(Kind::kInt) || is(Kind::kFloat) || is(Kind::kBool); }
  // int or bool, as Python's isinstance(x, int).
  bool is_integral() const { return is(Kind::kInt) || is(Kind::kBool); }
  bool is_sequence() const { return is(Kind::kList) || is(Kind::kTuple); }

  // Each needs the matching kind.
  bool as_bool() const { return bool_; }
  std::int64_t as_int() const { return is(Kind::kBool) ? std::int64_t{bool_} : int_; }
  double as_double() const { return is(Kind::kFloat) ? float_ : static_cast<double>(as_int()); }
  std::string_view as_string() const { return {chars_, size_}; }
  const Array& array() const { return *static_cast<const Array*>(pointer_); }
  const Dict& dict() const { return *static_cast<const Dict*>(pointer_); }
  const View& view() const { return *static_cast<const View*>(pointer_); }
  const Range& range() const { return *static_cast<const Range*>(pointer_); }
  Iterator& iterator() const { return *static_cast<Iterator*>(const_cast<void*>(pointer_)); }
  Namespace& name_space() const { return *static_cast<Namespace*>(const_cast<void*>(pointer_)); }
  Loop& loop() const { return *static_cast<Loop*>(const_cast<void*>(pointer_)); }
  const Callable& callable() const { return *static_cast<const Callable*>(pointer_); }
  // Null when nothing is known about why.
  const UndefinedInfo* undefined_info() const {
    return static_cast<const UndefinedInfo*>(pointer_);
  }
  // Identity of what is behind the value; only for kinds with a pointer.
  const void* address() const { return pointer_; }

 private:
  explicit Value(Kind kind) : kind_(kind) {}
  template <typename Set>
  static Value make(Kind kind, Set set) {
    Value value(kind);
    set(value);
    return value;
  }
  static Value pointer(Kind kind, const void* address) {
    return make(kind, [&](Value& v) { v.pointer_ = address; });
  }

  Kind kind_ = Kind::kUndefined;
  union {
    const void* pointer_ = nullptr;
    bool bool_;
    std::int64_t int_;
    double float_;
    const char* chars_;
  };
  std::size_t size_ = 0;  // of the text
};

// Items of a list or tuple; never changed once made.
struct Array {
  const Value* items = nullptr;
  std::size_t size = 0;
  std::span<const Value> span() const { return {items, size}; }
};

struct Entry {
  Value key;
  Value value;
};

// Entries in order of insertion. `slots`: open-addressing table of entry numbers + 1, for dicts too
// large to scan.
struct Dict {
  const Entry* entries = nullptr;
  std::size_t size = 0;
  const std::uint32_t* slots = nullptr;
  std::size_t num_slots = 0;  // a power of two, or 0
  std::span<const Entry> span() const { return {entries, size}; }
};

struct View {
  enum class What { kItems, kKeys, kValues };
  const Dict* dict;
  What what;
};

struct Range {
  std::int64_t start, stop, step, size;
  std::int64_t at(std::int64_t i) const { return start + i * step; }
};

// The one mutable object: attributes in order of first assignment.
struct Namespace {
  Entry* entries = nullptr;
  std::size_t size = 0;
  std::size_t capacity = 0;
  std::span<const Entry> span() const { return {entries, size}; }
};

// Why a value is undefined: the text of the error that using it raises.
struct UndefinedInfo {
  enum class Reason { kName, kAttribute, kHint };
  Reason reason;
  std::string_view text;            // the name, the attribute, or the whole text
  std::string_view type_name = {};  // of the object without the attribute
  bool unsafe = false;              // the sandbox forbids it: using it is a SecurityError
};

// Builds a dict: a later equal key replaces the value and keeps the place. Unhashable keys are a
// Problem.
class DictBuilder {
 public:
  explicit DictBuilder(Heap& heap) : heap_(heap) {}
  void set(const Value& key, const Value& value);
  const Dict* finish();
  std::size_t size() const { return entries_.size(); }

 private:
  void grow();

  Heap& heap_;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> slots_;
};

Value make_list(Heap& heap, std::span<const Value> items);
Value make_tuple(Heap& heap, std::span<const Value> items);
// Text is not copied: the JSON must outlive the value.
Value from_json(Heap& heap, const Json& json);

// Null if there is no such key. find() with an unhashable key is a Problem.
const Value* find(Heap& heap, const Dict& dict, const Value& key);
const Value* find(const Namespace& space, std::string_view name);
void assign(Heap& heap, Namespace& space, std::string_view name, const Value& value);

// Python's type(x).__name__.
std::string_view type_name(const Value& value);
bool hashable(const Value& value);

// Raises what using this undefined value raises.
[[noreturn]] void fail_undefined(const Value& value);
inline void require_defined(const Value& value) {
  if (value.is(Kind::kUndefined)) fail_undefined(value);
}

// a == b. Never fails but for limits.
bool equal(Heap& heap, const Value& a, const Value& b, int depth = 0);
// a < b; a Problem where Python has no order.
bool less(Heap& heap, const Value& a, const Value& b, int depth = 0);
bool less_or_equal(Heap& heap, const Value& a, const Value& b);

}  // namespace laurel::chat::jinja
