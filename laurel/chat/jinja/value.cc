#include "laurel/chat/jinja/value.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>

#include "laurel/base/utf8.h"
#include "laurel/chat/jinja/problem.h"

namespace laurel::chat::jinja {
namespace {

constexpr int kMaxDepth = 200;
// Up to this many entries, comparing the keys is quicker than hashing.
constexpr std::size_t kScannedEntries = 8;

void check_depth(int depth) {
  if (depth > kMaxDepth)
    fail(ErrorKind::kLimit, "values are nested deeper than {} levels", kMaxDepth);
}

std::size_t hash_of(const Value& value, int depth = 0) {
  check_depth(depth);
  switch (value.kind()) {
    case Kind::kBool:
    case Kind::kInt:
      return std::hash<std::int64_t>()(value.as_int());
    case Kind::kFloat: {  // equal numbers need equal hashes
      const double number = value.as_double();
      if (number == std::floor(number) && std::abs(number) < 9e18) {
        return std::hash<std::int64_t>()(static_cast<std::int64_t>(number));
      }
      return std::hash<double>()(number);
    }
    case Kind::kString:
      return std::hash<std::string_view>()(value.as_string());
    case Kind::kTuple: {
      std::size_t hash = 17;
      for (const Value& item : value.array().span())
        hash = hash * 1000003 ^ hash_of(item, depth + 1);
      return hash;
    }
    case Kind::kList:
    case Kind::kDict:
      fail("unhashable type: '{}'", type_name(value));
    case Kind::kUndefined:
    case Kind::kNone:
      return 1;
    default:
      return std::hash<const void*>()(value.address());
  }
}

// Calls probe(slot) from the hash's place on until it returns true.
template <typename Probe>
void walk_slots(Heap& heap, std::size_t hash, std::size_t num_slots, Probe probe) {
  std::size_t slot = (hash ^ hash >> 17) * 0x9e3779b97f4a7c15u >> 20;
  for (;; ++slot) {
    heap.step();
    if (probe(slot & (num_slots - 1))) return;
  }
}

bool numbers_equal(const Value& a, const Value& b) {
  if (a.is_integral() && b.is_integral()) return a.as_int() == b.as_int();
  return a.as_double() == b.as_double();
}

bool arrays_equal(Heap& heap, const Array& a, const Array& b, int depth) {
  if (a.size != b.size) return false;
  for (std::size_t i = 0; i < a.size; ++i) {
    if (!equal(heap, a.items[i], b.items[i], depth + 1)) return false;
  }
  return true;
}

bool dicts_equal(Heap& heap, const Dict& a, const Dict& b, int depth) {
  if (a.size != b.size) return false;
  for (const Entry& entry : a.span()) {
    const Value* other = find(heap, b, entry.key);
    if (other == nullptr || !equal(heap, entry.value, *other, depth + 1)) return false;
  }
  return true;
}

Array* copy_items(Heap& heap, std::span<const Value> items) {
  Value* copy = heap.make_array<Value>(items.size());
  if (!items.empty()) std::memcpy(static_cast<void*>(copy), items.data(), items.size_bytes());
  return heap.make<Array>(copy, items.size());
}

// Everything after relies on valid UTF-8.
Value checked_string(Heap& heap, std::string_view text) {
  heap.step_bytes(text.size());
  const std::size_t bad = find_invalid_utf8(text);
  if (bad != std::string_view::npos) fail("a string holds invalid UTF-8 at byte {}", bad);
  return Value::string(text);
}

}  // namespace

void DictBuilder::grow() {
  const std::size_t num_slots = slots_.empty() ? 4 * kScannedEntries : 2 * slots_.size();
  slots_.assign(num_slots, 0);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    walk_slots(heap_, hash_of(entries_[i].key), num_slots, [&](std::size_t slot) {
      if (slots_[slot] != 0) return false;
      slots_[slot] = static_cast<std::uint32_t>(i + 1);
      return true;
    });
  }
}

void DictBuilder::set(const Value& key, const Value& value) {
  if (!hashable(key)) fail("unhashable type: '{}'", type_name(key));
  if (slots_.empty()) {
    for (Entry& entry : entries_) {
      if (equal(heap_, entry.key, key)) return void(entry.value = value);
    }
    entries_.push_back({key, value});
    if (entries_.size() > kScannedEntries) grow();
    return;
  }
  bool replaced = false;
  std::size_t free_slot = 0;
  walk_slots(heap_, hash_of(key), slots_.size(), [&](std::size_t slot) {
    if (slots_[slot] == 0) return free_slot = slot, true;
    Entry& entry = entries_[slots_[slot] - 1];
    if (!equal(heap_, entry.key, key)) return false;
    entry.value = value;
    return replaced = true;
  });
  if (replaced) return;
  entries_.push_back({key, value});
  slots_[free_slot] = static_cast<std::uint32_t>(entries_.size());
  if (2 * entries_.size() > slots_.size()) grow();
}

const Dict* DictBuilder::finish() {
  Entry* entries = heap_.make_array<Entry>(entries_.size());
  for (std::size_t i = 0; i < entries_.size(); ++i) entries[i] = entries_[i];
  std::uint32_t* slots = nullptr;
  if (!slots_.empty()) {
    slots = heap_.make_array<std::uint32_t>(slots_.size());
    std::memcpy(slots, slots_.data(), slots_.size() * sizeof(std::uint32_t));
  }
  return heap_.make<Dict>(entries, entries_.size(), slots, slots_.size());
}

Value make_list(Heap& heap, std::span<const Value> items) {
  return Value::list(copy_items(heap, items));
}

Value make_tuple(Heap& heap, std::span<const Value> items) {
  return Value::tuple(copy_items(heap, items));
}

Value from_json(Heap& heap, const Json& json) {
  switch (json.type()) {
    case Json::value_t::null:
      return Value::none();
    case Json::value_t::boolean:
      return Value::boolean(json.get<bool>());
    case Json::value_t::number_unsigned:
      if (json.get<std::uint64_t>() > INT64_MAX) {
        fail(ErrorKind::kLimit, "the integer {} does not fit 64 bits", json.get<std::uint64_t>());
      }
      return Value::integer(json.get<std::int64_t>());
    case Json::value_t::number_integer:
      return Value::integer(json.get<std::int64_t>());
    case Json::value_t::number_float:
      return Value::real(json.get<double>());
    case Json::value_t::string:
      return checked_string(heap, json.get_ref<const std::string&>());
    case Json::value_t::array: {
      Value* items = heap.make_array<Value>(json.size());
      std::size_t count = 0;
      for (const Json& item : json) items[count++] = from_json(heap, item);
      return Value::list(heap.make<Array>(items, count));
    }
    case Json::value_t::object: {
      DictBuilder builder(heap);
      for (const auto& [key, value] : json.get_ref<const Json::object_t&>()) {
        builder.set(checked_string(heap, key), from_json(heap, value));
      }
      return Value::dict(builder.finish());
    }
    default:
      fail("a value that is not JSON");
  }
}

const Value* find(Heap& heap, const Dict& dict, const Value& key) {
  if (!hashable(key)) fail("unhashable type: '{}'", type_name(key));
  if (dict.num_slots == 0) {
    heap.step();
    for (const Entry& entry : dict.span()) {
      const bool both_text = entry.key.is(Kind::kString) && key.is(Kind::kString);
      if (both_text ? entry.key.as_string() == key.as_string() : equal(heap, entry.key, key)) {
        return &entry.value;
      }
    }
    return nullptr;
  }
  const Value* found = nullptr;
  walk_slots(heap, hash_of(key), dict.num_slots, [&](std::size_t slot) {
    if (dict.slots[slot] == 0) return true;
    const Entry& entry = dict.entries[dict.slots[slot] - 1];
    if (!equal(heap, entry.key, key)) return false;
    found = &entry.value;
    return true;
  });
  return found;
}

const Value* find(const Namespace& space, std::string_view name) {
  for (const Entry& entry : space.span()) {
    if (entry.key.as_string() == name) return &entry.value;
  }
  return nullptr;
}

void assign(Heap& heap, Namespace& space, std::string_view name, const Value& value) {
  heap.step(static_cast<std::int64_t>(space.size));
  for (std::size_t i = 0; i < space.size; ++i) {
    if (space.entries[i].key.as_string() == name) return void(space.entries[i].value = value);
  }
  if (space.size == space.capacity) {
    space.capacity = space.capacity == 0 ? 4 : 2 * space.capacity;
    Entry* entries = heap.make_array<Entry>(space.capacity);
    for (std::size_t i = 0; i < space.size; ++i) entries[i] = space.entries[i];
    space.entries = entries;
  }
  space.entries[space.size++] = {Value::string(name), value};
}

std::string_view type_name(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return "str";
    case Kind::kList:
      return "list";
    case Kind::kTuple:
      return "tuple";
    case Kind::kDict:
      return "dict";
    case Kind::kView:
      return value.view().what == View::What::kItems  ? "dict_items"
             : value.view().what == View::What::kKeys ? "dict_keys"
                                                      : "dict_values";
    case Kind::kRange:
      return "range";
    case Kind::kIterator:
      return "generator";
    case Kind::kNamespace:
      return "Namespace";
    case Kind::kLoop:
      return "LoopContext";
    case Kind::kCallable:
      return "function";
  }
  return "?";
}

bool hashable(const Value& value) {
  if (value.is(Kind::kTuple)) {
    for (const Value& item : value.array().span()) {
      if (!hashable(item))
        return false;  // tuples are no deeper than the expression that wrote them
    }
  }
  return !value.is(Kind::kList) && !value.is(Kind::kDict);
}

void fail_undefined(const Value& value) {
  const UndefinedInfo* info = value.undefined_info();
  if (info == nullptr) fail(ErrorKind::kUndefined, "the value is undefined");
  const ErrorKind kind = info->unsafe ? ErrorKind::kSecurity : ErrorKind::kUndefined;
  if (info->unsafe) {
    fail(kind, "attribute '{}' of a {} must not be used in a template", info->text,
         info->type_name);
  }
  switch (info->reason) {
    case UndefinedInfo::Reason::kName:
      fail(kind, "'{}' is undefined", info->text);
    case UndefinedInfo::Reason::kAttribute:
      fail(kind, "'{}' has no attribute or item '{}'", info->type_name, info->text);
    case UndefinedInfo::Reason::kHint:
      break;
  }
  fail(kind, "{}", info->text);
}

bool equal(Heap& heap, const Value& a, const Value& b, int depth) {
  heap.step();
  check_depth(depth);
  if (a.is_number() && b.is_number()) return numbers_equal(a, b);
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kString:
      if (a.as_string().size() == b.as_string().size()) heap.step_bytes(a.as_string().size());
      return a.as_string() == b.as_string();
    case Kind::kList:
    case Kind::kTuple:
      return a.address() == b.address() || arrays_equal(heap, a.array(), b.array(), depth);
    case Kind::kDict:
      return a.address() == b.address() || dicts_equal(heap, a.dict(), b.dict(), depth);
    case Kind::kRange: {
      const Range& x = a.range();
      const Range& y = b.range();
      return x.size == y.size &&
             (x.size == 0 || (x.start == y.start && (x.size == 1 || x.step == y.step)));
    }
    default:
      return a.address() == b.address();
  }
}

bool less(Heap& heap, const Value& a, const Value& b, int depth) {
  heap.step();
  check_depth(depth);
  require_defined(a);
  require_defined(b);
  if (a.is_integral() && b.is_integral()) return a.as_int() < b.as_int();
  if (a.is_number() && b.is_number()) return a.as_double() < b.as_double();
  if (a.is(Kind::kString) && b.is(Kind::kString)) {
    heap.step_bytes(std::min(a.as_string().size(), b.as_string().size()));
    return a.as_string() < b.as_string();
  }
  if (!a.is_sequence() || a.kind() != b.kind()) {
    fail("cannot order '{}' and '{}'", type_name(a), type_name(b));
  }
  const Array& x = a.array();
  const Array& y = b.array();
  for (std::size_t i = 0; i < std::min(x.size, y.size); ++i) {
    if (!equal(heap, x.items[i], y.items[i], depth + 1)) {
      return less(heap, x.items[i], y.items[i], depth + 1);
    }
  }
  return x.size < y.size;
}

bool less_or_equal(Heap& heap, const Value& a, const Value& b) {
  const bool is_less = less(heap, a, b);  // first, because it refuses what has no order
  return is_less || equal(heap, a, b);
}

}  // namespace laurel::chat::jinja
