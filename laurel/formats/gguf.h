// Reading the GGUF format (version 3; 2 has the same layout): metadata, then tensors in blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "laurel/base/dtype.h"

namespace laurel::formats {

enum class GgufType : std::uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64
};

// A metadata value as it lies in the file.
struct GgufValue {
  GgufType type = GgufType::kU8;  // of the elements, for an array
  bool is_array = false;
  std::uint64_t count = 1;
  std::span<const std::byte> bytes;  // of all elements; strings with their lengths
};

struct GgufTensor {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;  // row-major: [out, in] for a weight
  std::span<const std::byte> data;
};

// A GGUF file in memory; strings and data point into it.
class GgufFile {
 public:
  // Makes the checks of the format's reference reader. `where` names the file in error texts.
  // Throws UserError, also for a tensor whose type gguf_blocks.h does not know.
  static GgufFile parse(std::span<const std::byte> file, std::string_view where);

  const std::string& name() const { return name_; }

  // Typed metadata: nullopt if absent; a value of another kind is a UserError naming the key.
  // Integers of any width and sign are accepted where they fit.
  std::optional<std::int64_t> find_int(std::string_view key) const;
  std::optional<double> find_float(std::string_view key) const;
  std::optional<bool> find_bool(std::string_view key) const;
  std::optional<std::string_view> find_string(std::string_view key) const;
  std::optional<std::vector<std::string_view>> find_strings(std::string_view key) const;
  std::optional<std::vector<std::int64_t>> find_ints(std::string_view key) const;  // an array
  bool contains(std::string_view key) const { return metadata_.find(key) != metadata_.end(); }

  const std::map<std::string, GgufTensor, std::less<>>& tensors() const { return tensors_; }

 private:
  friend class GgufParser;
  const GgufValue* find(std::string_view key) const;
  const GgufValue* find_scalar(std::string_view key, std::string_view expected) const;

  std::string name_;
  std::map<std::string, GgufValue, std::less<>> metadata_;
  std::map<std::string, GgufTensor, std::less<>> tensors_;
};

}  // namespace laurel::formats
