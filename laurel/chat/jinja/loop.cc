#include "laurel/chat/jinja/loop.h"

#include <vector>

#include "laurel/chat/jinja/operators.h"

namespace laurel::chat::jinja {
namespace {}  // namespace

bool Loop::peek(Runtime& runtime) {
  if (!peeked_) {
    has_after_ = items_->next(runtime, after_);
    peeked_ = true;
  }
  return has_after_;
}

bool Loop::next(Runtime& runtime, Value& item) {
  if (!peek(runtime)) return false;
  peeked_ = false;
  ++index0_;
  has_before_ = has_current_;
  before_ = current_;
  has_current_ = true;
  current_ = after_;
  item = after_;
  return true;
}

std::int64_t Loop::length(Runtime& runtime) {
  if (!has_length_) {
    std::vector<Value> rest;
    for (Value item; items_->next(runtime, item);) rest.push_back(item);
    length_ =
        static_cast<std::int64_t>(rest.size()) + index0_ + 1 + (peeked_ && has_after_ ? 1 : 0);
    items_ = runtime.heap().make<ArrayIterator>(make_list(runtime.heap(), rest).array());
    has_length_ = true;
  }
  return length_;
}

std::optional<Value> Loop::attribute(Runtime& runtime, std::string_view name) {
  Heap& heap = runtime.heap();
  if (name == "index") return Value::integer(index0_ + 1);
  if (name == "index0") return Value::integer(index0_);
  if (name == "first") return Value::boolean(index0_ == 0);
  if (name == "last") return Value::boolean(!peek(runtime));
  if (name == "length") return Value::integer(length(runtime));
  if (name == "revindex") return Value::integer(length(runtime) - index0_);
  if (name == "revindex0") return Value::integer(length(runtime) - index0_ - 1);
  if (name == "depth") return Value::integer(depth_ + 1);
  if (name == "depth0") return Value::integer(depth_);
  if (name == "previtem")
    return has_before_ ? before_ : undefined_hint(heap, "there is no previous item");
  if (name == "nextitem")
    return peek(runtime) ? after_ : undefined_hint(heap, "there is no next item");
  return std::nullopt;
}

bool Loop::changed(Heap& heap, const Value& values) {
  if (has_changed_ && equal(heap, changed_, values)) return false;
  has_changed_ = true;
  changed_ = values;
  return true;
}

}  // namespace laurel::chat::jinja
