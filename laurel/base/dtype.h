// Element types of tensors in files and in memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace laurel {

// Plain types, as in safetensors; then the block types of GGUF (base/quantized_blocks.h), whose
// elements come in groups that share what scales them.
enum class DType {
  kF32,
  kF16,
  kBF16,
  kF64,
  kI64,
  kI32,
  kI16,
  kI8,
  kU8,
  kBool,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ8_0,
  kQ4_K,
  kQ5_K,
  kQ6_K,
};

struct DTypeInfo {
  DType dtype;
  std::string_view name;  // as safetensors and GGUF have it
  std::int64_t block_elements;
  std::int64_t block_bytes;
};

// By the enumeration's order.
inline constexpr std::array kDTypes = {
    DTypeInfo{DType::kF32, "F32", 1, 4},       DTypeInfo{DType::kF16, "F16", 1, 2},
    DTypeInfo{DType::kBF16, "BF16", 1, 2},     DTypeInfo{DType::kF64, "F64", 1, 8},
    DTypeInfo{DType::kI64, "I64", 1, 8},       DTypeInfo{DType::kI32, "I32", 1, 4},
    DTypeInfo{DType::kI16, "I16", 1, 2},       DTypeInfo{DType::kI8, "I8", 1, 1},
    DTypeInfo{DType::kU8, "U8", 1, 1},         DTypeInfo{DType::kBool, "BOOL", 1, 1},
    DTypeInfo{DType::kQ4_0, "Q4_0", 32, 18},   DTypeInfo{DType::kQ4_1, "Q4_1", 32, 20},
    DTypeInfo{DType::kQ5_0, "Q5_0", 32, 22},   DTypeInfo{DType::kQ5_1, "Q5_1", 32, 24},
    DTypeInfo{DType::kQ8_0, "Q8_0", 32, 34},   DTypeInfo{DType::kQ4_K, "Q4_K", 256, 144},
    DTypeInfo{DType::kQ5_K, "Q5_K", 256, 176}, DTypeInfo{DType::kQ6_K, "Q6_K", 256, 210},
};

inline constexpr std::int64_t kMaxBlockElements = 256;

constexpr const DTypeInfo& dtype_info(DType dtype) {
  return kDTypes[static_cast<std::size_t>(dtype)];
}

constexpr std::string_view dtype_name(DType dtype) { return dtype_info(dtype).name; }

// Whether elements come in blocks.
constexpr bool is_quantized(DType dtype) { return dtype_info(dtype).block_elements > 1; }

// Bytes per element of a plain type.
constexpr std::int64_t dtype_size(DType dtype) { return dtype_info(dtype).block_bytes; }

// Bytes of this many elements: whole blocks, where the type has them.
constexpr std::int64_t dtype_bytes(DType dtype, std::int64_t num_elements) {
  const DTypeInfo& info = dtype_info(dtype);
  return num_elements / info.block_elements * info.block_bytes;
}

}  // namespace laurel
