// The variable `loop` of a for loop.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "laurel/chat/jinja/callable.h"

namespace laurel::chat::jinja {

// Calls a recursive loop again with other items.
class LoopBody {
 public:
  virtual Value render(Runtime& runtime, const Value& items, std::int64_t depth) const = 0;

 protected:
  ~LoopBody() = default;
};

// Looks ahead only when asked for what is ahead, as jinja2 does, because a loop's filter may read
// what its body changes.
class Loop {
 public:
  // `known_length`: of the items, where they have one. `body`: null unless the loop is recursive.
  Loop(Iterator& items, std::optional<std::int64_t> known_length, const LoopBody* body,
       std::int64_t depth)
      : items_(&items),
        has_length_(known_length.has_value()),
        length_(known_length.value_or(0)),
        body_(body),
        depth_(depth) {}

  // Moves on; false at the end.
  bool next(Runtime& runtime, Value& item);

  // Nullopt if `loop` has no such attribute.
  std::optional<Value> attribute(Runtime& runtime, std::string_view name);
  std::int64_t length(Runtime& runtime);

  const LoopBody* body() const { return body_; }
  std::int64_t depth() const { return depth_; }
  std::int64_t index0() const { return index0_; }

  // loop.changed(…): whether the values differ from the last call's.
  bool changed(Heap& heap, const Value& values);

 private:
  bool peek(Runtime& runtime);

  Iterator* items_;
  bool has_length_;
  std::int64_t length_;
  const LoopBody* body_;
  std::int64_t depth_;
  std::int64_t index0_ = -1;
  bool has_current_ = false;
  bool has_before_ = false;
  Value before_;
  Value current_;
  bool peeked_ = false;
  bool has_after_ = false;
  Value after_;
  bool has_changed_ = false;
  Value changed_;
};

}  // namespace laurel::chat::jinja
