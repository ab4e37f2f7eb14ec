// A pickle reader that knows what a dictionary of torch tensors needs and nothing else. It builds
// values; it never calls anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace laurel::formats {

enum class PickleKind {
  kNone,
  kBool,
  kInt,
  kFloat,
  kString,
  kTuple,    // children: elements
  kList,     // children: elements
  kDict,     // children: key, value, key, value, …
  kGlobal,   // text: "torch FloatStorage"
  kStorage,  // children: the persistent id, a tuple
  kTensor,   // children: the arguments of torch._utils._rebuild_tensor_v2
};

struct PickleValue {
  PickleKind kind = PickleKind::kNone;
  std::int64_t number = 0;  // of a bool or an int
  std::string_view text;    // points into the pickle, except for globals
  std::vector<std::uint32_t> children;
};

// The values of one pickle. Values refer to each other by index and may do so in cycles.
struct Pickle {
  std::vector<PickleValue> values;
  std::uint32_t root = 0;

  const PickleValue& operator[](std::uint32_t index) const { return values[index]; }
};

// Element types of torch storages: "torch FloatStorage" and so on.
bool is_storage_type(std::string_view global);

// Reads protocols 2 to 5. Throws UserError naming the opcode or the global that does not belong
// into a dictionary of tensors, or where the pickle is damaged.
Pickle parse_pickle(std::span<const std::byte> bytes, std::string_view where);

}  // namespace laurel::formats
