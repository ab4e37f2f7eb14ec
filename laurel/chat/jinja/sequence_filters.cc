#include "laurel/chat/jinja/sequence_filters.h"

#include <algorithm>
#include <string>
#include <vector>

#include "laurel/chat/jinja/operators.h"
#include "laurel/chat/jinja/print.h"
#include "laurel/chat/jinja/text.h"

namespace laurel::chat::jinja {
namespace {

bool flag(Runtime& runtime, const Value* value) {
  return value != nullptr && truthy(runtime, *value);
}
bool given(const Value* value) { return value != nullptr && !value->is(Kind::kNone); }

// Text without regard to case, other values as they are.
Value ignore_case(Runtime& runtime, const Value& value) {
  return value.is(Kind::kString) ? runtime.text(lower(value.as_string())) : value;
}

// "a.b.0" as the items to take one after another; an index alone is one item.
std::vector<Value> path_of(const Value& attribute) {
  if (!attribute.is(Kind::kString)) return {attribute};
  std::vector<Value> path;
  for (const std::string_view part : split(attribute.as_string(), ".")) {
    const bool is_number =
        !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
    bool overflow = false;
    const auto index = is_number ? parse_int(part, 10, overflow) : std::nullopt;
    path.push_back(index ? Value::integer(*index) : Value::string(part));
  }
  return path;
}

Value follow(Runtime& runtime, Value value, const std::vector<Value>& path,
             const Value* otherwise) {
  for (const Value& part : path) {
    value = get_item(runtime, value, part);
    if (value.is(Kind::kUndefined) && given(otherwise)) value = *otherwise;
  }
  return value;
}

// What sort, min, max and unique compare.
class Key {
 public:
  Key(Runtime& runtime, const Value* case_sensitive, const Value* attribute)
      : runtime_(runtime), case_sensitive_(flag(runtime, case_sensitive)) {
    if (given(attribute)) path_ = path_of(*attribute);
  }
  Value operator()(const Value& item) const {
    const Value value = follow(runtime_, item, path_, nullptr);
    return case_sensitive_ ? value : ignore_case(runtime_, value);
  }

 private:
  Runtime& runtime_;
  bool case_sensitive_;
  std::vector<Value> path_;
};

// Stable. `less` may throw, and a hostile template may make it inconsistent, so this is a merge
// sort of our own: whatever the answers, it stays inside the array.
void sort_stably(Heap& heap, std::vector<Entry>& items, bool reverse) {
  std::vector<Entry> merged(items.size());
  for (std::size_t width = 1; width < items.size(); width *= 2) {
    for (std::size_t begin = 0; begin < items.size(); begin += 2 * width) {
      const std::size_t middle = std::min(begin + width, items.size());
      const std::size_t end = std::min(begin + 2 * width, items.size());
      std::size_t left = begin;
      std::size_t right = middle;
      for (std::size_t i = begin; i < end; ++i) {
        const auto right_first = [&] {
          return reverse ? less(heap, items[left].key, items[right].key)
                         : less(heap, items[right].key, items[left].key);
        };
        const bool take_right = left == middle || (right < end && right_first());
        merged[i] = items[take_right ? right++ : left++];
      }
    }
    items.swap(merged);
  }
}

Value sorted_values(Runtime& runtime, std::vector<Entry>& items, bool reverse) {
  sort_stably(runtime.heap(), items, reverse);
  std::vector<Value> values;
  values.reserve(items.size());
  for (const Entry& item : items) values.push_back(item.value);
  return make_list(runtime.heap(), values);
}

Value extreme(Runtime& runtime, const Arguments& arguments, bool largest) {
  const auto args =
      bind(largest ? "max" : "min", arguments, {"value", "case_sensitive", "attribute"}, 1);
  const Key key_of(runtime, args[1], args[2]);
  Iterator& items = iterate(runtime, *args[0]);
  Value best;
  if (!items.next(runtime, best)) {
    return undefined_hint(runtime.heap(), "no aggregated item, the sequence was empty");
  }
  Value best_key = key_of(best);
  for (Value item; items.next(runtime, item);) {
    const Value key = key_of(item);
    const bool better =
        largest ? less(runtime.heap(), best_key, key) : less(runtime.heap(), key, best_key);
    if (better) best = item, best_key = key;
  }
  return best;
}

// ---- lazy filters: what they need is copied to the heap, since the arguments' own memory goes
// away ----

struct LateCall {
  Filter filter = nullptr;
  Test test = nullptr;
  Value* positional = nullptr;  // the first is left for the item
  std::size_t num_positional = 0;
  Keyword* keywords = nullptr;
  std::size_t num_keywords = 0;

  Arguments with(const Value& item) const {
    positional[0] = item;
    return {{positional, num_positional}, {keywords, num_keywords}};
  }
};

// A call of arguments[first](item, arguments[first + 1…]).
LateCall late_call(Runtime& runtime, const Arguments& arguments, std::size_t first) {
  LateCall call;
  call.num_positional = arguments.positional.size() - first;
  call.positional = runtime.heap().make_array<Value>(call.num_positional);
  std::copy_n(arguments.positional.data() + first, call.num_positional, call.positional);
  call.num_keywords = arguments.keywords.size();
  call.keywords = runtime.heap().make_array<Keyword>(call.num_keywords);
  std::copy_n(arguments.keywords.data(), call.num_keywords, call.keywords);
  return call;
}

class Mapped final : public Iterator {
 public:
  Mapped(Iterator& items, const LateCall& call) : items_(&items), call_(call) {}
  bool next(Runtime& runtime, Value& value) override {
    if (!items_->next(runtime, value)) return false;
    value = call_.filter(runtime, call_.with(value));
    return true;
  }

 private:
  Iterator* items_;
  LateCall call_;
};

class MappedAttribute final : public Iterator {
 public:
  MappedAttribute(Iterator& items, const Array& path, const Value& otherwise)
      : items_(&items), path_(&path), otherwise_(otherwise) {}
  bool next(Runtime& runtime, Value& value) override {
    if (!items_->next(runtime, value)) return false;
    value = follow(runtime, value, {path_->span().begin(), path_->span().end()}, &otherwise_);
    return true;
  }

 private:
  Iterator* items_;
  const Array* path_;
  Value otherwise_;
};

class Selected final : public Iterator {
 public:
  Selected(Iterator& items, const Array& path, const LateCall& call, bool wanted)
      : items_(&items), path_(&path), call_(call), wanted_(wanted) {}
  bool next(Runtime& runtime, Value& value) override {
    while (items_->next(runtime, value)) {
      runtime.heap().step();
      const Value subject =
          follow(runtime, value, {path_->span().begin(), path_->span().end()}, nullptr);
      const bool holds = call_.test == nullptr ? truthy(runtime, subject)
                                               : call_.test(runtime, call_.with(subject));
      if (holds == wanted_) return true;
    }
    return false;
  }

 private:
  Iterator* items_;
  const Array* path_;
  LateCall call_;
  bool wanted_;
};

Value one_pass(Runtime& runtime, const std::vector<Value>& items) {
  return Value::iterator(
      runtime.heap().make<ArrayIterator>(make_list(runtime.heap(), items).array()));
}

const Value& subject_of(const Arguments& arguments, std::string_view filter) {
  if (arguments.positional.empty()) missing_argument(filter, "value");
  return arguments.positional[0];
}

Value select(Runtime& runtime, const Arguments& arguments, bool wanted, bool by_attribute) {
  const Value& value = subject_of(arguments, "select");
  const std::size_t test_at = by_attribute ? 2 : 1;
  const bool some = truthy(runtime, value);  // jinja2 does not look further at what is false
  std::vector<Value> path;
  if (by_attribute && some) {
    if (arguments.positional.size() < 2) fail("missing parameter for attribute name");
    if (!arguments.positional[1].is(Kind::kNone)) path = path_of(arguments.positional[1]);
  }
  LateCall call;
  if (some && arguments.positional.size() > test_at) {
    const Value& name = arguments.positional[test_at];
    call = late_call(runtime, arguments, test_at);
    call.test = name.is(Kind::kString) ? find_test(name.as_string()) : nullptr;
    if (call.test == nullptr) fail("there is no test named '{}'", to_str(runtime.heap(), name));
  }
  Iterator& items = some ? iterate(runtime, value) : iterate(runtime, Value());
  const Array& path_array = make_list(runtime.heap(), path).array();
  return Value::iterator(runtime.heap().make<Selected>(items, path_array, call, wanted));
}

Value map_attribute(Runtime& runtime, const Arguments& arguments) {
  const Value* attribute = nullptr;
  Value otherwise = Value::none();
  for (const Keyword& keyword : arguments.keywords) {
    if (keyword.name == "attribute") {
      attribute = &keyword.value;
    } else if (keyword.name == "default") {
      otherwise = keyword.value;
    } else {
      fail("map: unexpected keyword argument '{}'", keyword.name);
    }
  }
  if (attribute == nullptr) fail("map requires a filter argument");
  std::vector<Value> path;
  if (given(attribute)) path = path_of(*attribute);
  Iterator& items = iterate(runtime, arguments.positional[0]);
  const Array& path_array = make_list(runtime.heap(), path).array();
  return Value::iterator(runtime.heap().make<MappedAttribute>(items, path_array, otherwise));
}

}  // namespace

Value filter_map(Runtime& runtime, const Arguments& arguments) {
  const Value& value = subject_of(arguments, "map");
  if (!truthy(runtime, value)) return one_pass(runtime, {});
  if (arguments.positional.size() == 1) return map_attribute(runtime, arguments);
  const Value& name = arguments.positional[1];
  LateCall call = late_call(runtime, arguments, 1);
  call.filter = name.is(Kind::kString) ? find_filter(name.as_string()) : nullptr;
  if (call.filter == nullptr) fail("there is no filter named '{}'", to_str(runtime.heap(), name));
  return Value::iterator(runtime.heap().make<Mapped>(iterate(runtime, value), call));
}

Value filter_select(Runtime& runtime, const Arguments& arguments) {
  return select(runtime, arguments, true, false);
}
Value filter_reject(Runtime& runtime, const Arguments& arguments) {
  return select(runtime, arguments, false, false);
}
Value filter_selectattr(Runtime& runtime, const Arguments& arguments) {
  return select(runtime, arguments, true, true);
}
Value filter_rejectattr(Runtime& runtime, const Arguments& arguments) {
  return select(runtime, arguments, false, true);
}

Value filter_unique(Runtime& runtime, const Arguments& arguments) {
  const auto args = bind("unique", arguments, {"value", "case_sensitive", "attribute"}, 1);
  const Key key_of(runtime, args[1], args[2]);
  DictBuilder seen(runtime.heap());
  std::size_t num_seen = 0;
  std::vector<Value> kept;
  for (const Value& item : collect(runtime, *args[0])) {
    seen.set(key_of(item), item);
    if (seen.size() == num_seen) continue;
    num_seen = seen.size();
    kept.push_back(item);
  }
  return one_pass(runtime, kept);
}

Value filter_sort(Runtime& runtime, const Arguments& arguments) {
  const auto args = bind("sort", arguments, {"value", "reverse", "case_sensitive", "attribute"}, 1);
  const bool sensitive = flag(runtime, args[2]);
  std::vector<std::vector<Value>> paths(1);
  if (given(args[3])) {
    paths.clear();
    if (args[3]->is(Kind::kString)) {
      for (const std::string_view part : split(args[3]->as_string(), ",")) {
        paths.push_back(path_of(Value::string(part)));
      }
    } else {
      paths.push_back(path_of(*args[3]));
    }
  }
  std::vector<Entry> items;
  for (const Value& item : collect(runtime, *args[0])) {
    std::vector<Value> key;
    for (const auto& path : paths) {
      const Value part = follow(runtime, item, path, nullptr);
      key.push_back(sensitive ? part : ignore_case(runtime, part));
    }
    items.push_back({make_list(runtime.heap(), key), item});
  }
  return sorted_values(runtime, items, flag(runtime, args[1]));
}

Value filter_dictsort(Runtime& runtime, const Arguments& arguments) {
  const auto args = bind("dictsort", arguments, {"value", "case_sensitive", "by", "reverse"}, 1);
  const std::string_view by = args[2] == nullptr ? "key" : to_str(runtime.heap(), *args[2]);
  if (by != "key" && by != "value") fail("dictsort: expected by 'key' or 'value', got '{}'", by);
  require_defined(*args[0]);
  if (!args[0]->is(Kind::kDict)) fail("dictsort: expected a mapping, got {}", type_name(*args[0]));
  std::vector<Entry> items;
  for (const Entry& entry : args[0]->dict().span()) {
    const Value key = by == "key" ? entry.key : entry.value;
    const Value pair[] = {entry.key, entry.value};
    items.push_back({flag(runtime, args[1]) ? key : ignore_case(runtime, key),
                     make_tuple(runtime.heap(), pair)});
  }
  return sorted_values(runtime, items, flag(runtime, args[3]));
}

Value filter_groupby(Runtime& runtime, const Arguments& arguments) {
  const auto args =
      bind("groupby", arguments, {"value", "attribute", "default", "case_sensitive"}, 2);
  const std::vector<Value> path = path_of(*args[1]);
  const bool sensitive = flag(runtime, args[3]);
  std::vector<Entry> items;
  for (const Value& item : collect(runtime, *args[0])) {
    const Value key = follow(runtime, item, path, args[2]);
    items.push_back({sensitive ? key : ignore_case(runtime, key), item});
  }
  sort_stably(runtime.heap(), items, false);
  std::vector<Value> groups;
  for (std::size_t begin = 0, end = 0; begin < items.size(); begin = end) {
    std::vector<Value> members;
    for (end = begin; end < items.size() && equal(runtime.heap(), items[begin].key, items[end].key);
         ++end) {
      members.push_back(items[end].value);
    }
    if (members.empty()) members.push_back(items[end++].value);  // a NaN key equals nothing
    const Value key = follow(runtime, members[0], path, args[2]);
    const Value group[] = {key, make_list(runtime.heap(), members)};
    groups.push_back(make_tuple(runtime.heap(), group));
  }
  return make_list(runtime.heap(), groups);
}

Value filter_min(Runtime& runtime, const Arguments& arguments) {
  return extreme(runtime, arguments, false);
}
Value filter_max(Runtime& runtime, const Arguments& arguments) {
  return extreme(runtime, arguments, true);
}

Value filter_sum(Runtime& runtime, const Arguments& arguments) {
  const auto args = bind("sum", arguments, {"iterable", "attribute", "start"}, 1);
  std::vector<Value> path;
  if (given(args[1])) path = path_of(*args[1]);
  Value total = args[2] == nullptr ? Value::integer(0) : *args[2];
  if (total.is(Kind::kString)) fail("sum: cannot sum strings; use join");
  Iterator& items = iterate(runtime, *args[0]);
  for (Value item; items.next(runtime, item);) {
    total = binary(runtime, BinaryOperator::kAdd, total, follow(runtime, item, path, nullptr));
  }
  return total;
}

Value filter_join(Runtime& runtime, const Arguments& arguments) {
  const auto args = bind("join", arguments, {"value", "d", "attribute"}, 1);
  const std::string_view separator = args[1] == nullptr ? "" : to_str(runtime.heap(), *args[1]);
  std::vector<Value> path;
  if (given(args[2])) path = path_of(*args[2]);
  std::string text;
  bool first = true;
  Iterator& items = iterate(runtime, *args[0]);
  for (Value item; items.next(runtime, item);) {
    if (!first) append_str(runtime.heap(), text, Value::string(separator));
    first = false;
    append_str(runtime.heap(), text, follow(runtime, item, path, nullptr));
  }
  return runtime.text(text);
}

Value filter_first(Runtime& runtime, const Arguments& arguments) {
  const auto args = bind("first", arguments, {"seq"}, 1);
  Value item;
  if (iterate(runtime, *args[0]).next(runtime, item)) return item;
  return undefined_hint(runtime.heap(), "no first item, the sequence was empty");
}

Value filter_last(Runtime& runtime, const Arguments& arguments) {
  const auto args = bind("last", arguments, {"seq"}, 1);
  if (args[0]->is(Kind::kIterator)) fail("last: a generator is not reversible; use list first");
  const std::vector<Value> items = collect(runtime, *args[0]);
  return items.empty() ? undefined_hint(runtime.heap(), "no last item, the sequence was empty")
                       : items.back();
}

Value filter_reverse(Runtime& runtime, const Arguments& arguments) {
  const auto args = bind("reverse", arguments, {"value"}, 1);
  if (args[0]->is(Kind::kString)) {
    return slice(runtime, *args[0], Value::none(), Value::none(), Value::integer(-1));
  }
  const bool is_generator = args[0]->is(Kind::kIterator);
  std::vector<Value> items = collect(runtime, *args[0]);
  std::reverse(items.begin(), items.end());
  return is_generator ? make_list(runtime.heap(), items) : one_pass(runtime, items);
}

Value filter_list(Runtime& runtime, const Arguments& arguments) {
  const auto args = bind("list", arguments, {"value"}, 1);
  return make_list(runtime.heap(), collect(runtime, *args[0]));
}

Value filter_length(Runtime& runtime, const Arguments& arguments) {
  const auto args = bind("length", arguments, {"obj"}, 1);
  const auto size = length(runtime, *args[0]);
  if (!size) fail("object of type '{}' has no length", type_name(*args[0]));
  return Value::integer(*size);
}

Value filter_items(Runtime& runtime, const Arguments& arguments) {
  const auto args = bind("items", arguments, {"value"}, 1);
  if (args[0]->is(Kind::kUndefined)) return one_pass(runtime, {});
  if (!args[0]->is(Kind::kDict)) fail("items: expected a mapping, got {}", type_name(*args[0]));
  return one_pass(runtime, collect(runtime, Value::view(runtime.heap().make<View>(
                                                &args[0]->dict(), View::What::kItems))));
}

Value filter_batch(Runtime& runtime, const Arguments& arguments) {
  const auto args = bind("batch", arguments, {"value", "linecount", "fill_with"}, 2);
  if (!args[1]->is_integral()) fail("batch: expected an integer, got {}", type_name(*args[1]));
  const std::int64_t size = args[1]->as_int();
  std::vector<Value> batches;
  std::vector<Value> batch;
  for (const Value& item : collect(runtime, *args[0])) {
    if (static_cast<std::int64_t>(batch.size()) == size) {
      batches.push_back(make_list(runtime.heap(), batch));
      batch.clear();
    }
    batch.push_back(item);
  }
  if (!batch.empty()) {
    while (given(args[2]) && static_cast<std::int64_t>(batch.size()) < size) {
      runtime.heap().charge(sizeof(Value));
      batch.push_back(*args[2]);
    }
    batches.push_back(make_list(runtime.heap(), batch));
  }
  return one_pass(runtime, batches);
}

}  // namespace laurel::chat::jinja
