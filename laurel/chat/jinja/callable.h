// What a template can call, iterate, and be called with.
#pragma once

#include <span>
#include <string_view>

#include "laurel/chat/jinja/value.h"

namespace laurel::chat::jinja {

class Runtime;

struct Keyword {
  std::string_view name;
  Value value;
};

// Arguments of a call, filter or test. For the latter two, positional[0] is the value they apply
// to.
struct Arguments {
  std::span<const Value> positional;
  std::span<const Keyword> keywords;
};

// A function, bound method or macro. Lives on the Heap.
class Callable {
 public:
  virtual Value call(Runtime& runtime, const Arguments& arguments) const = 0;
  virtual std::string_view name() const = 0;

 protected:
  ~Callable() = default;
};

// One pass over some values. Lives on the Heap.
class Iterator {
 public:
  // The next value, or false at the end (and from then on).
  virtual bool next(Runtime& runtime, Value& value) = 0;

 protected:
  ~Iterator() = default;
};

// Over the items of a list or tuple that no longer changes.
class ArrayIterator final : public Iterator {
 public:
  explicit ArrayIterator(const Array& array) : array_(&array) {}
  bool next(Runtime&, Value& value) override {
    if (at_ == array_->size) return false;
    value = array_->items[at_++];
    return true;
  }

 private:
  const Array* array_;
  std::size_t at_ = 0;
};

// The arguments in the order of the parameters' names, with Python's rules; a Problem for too many,
// unknown or double ones. A parameter that was not given is null.
template <std::size_t kCount>
struct Bound {
  const Value* values[kCount] = {};
  const Value* operator[](std::size_t i) const { return values[i]; }
};

void bind(std::string_view function, const Arguments& arguments,
          std::span<const std::string_view> names, std::span<const Value*> values);
[[noreturn]] void missing_argument(std::string_view function, std::string_view name);

template <std::size_t kCount>
Bound<kCount> bind(std::string_view function, const Arguments& arguments,
                   const std::string_view (&names)[kCount], std::size_t num_required = 0) {
  Bound<kCount> bound;
  bind(function, arguments, std::span<const std::string_view>(names),
       std::span<const Value*>(bound.values));
  for (std::size_t i = 0; i < num_required; ++i) {
    if (bound[i] == nullptr) missing_argument(function, names[i]);
  }
  return bound;
}

}  // namespace laurel::chat::jinja
