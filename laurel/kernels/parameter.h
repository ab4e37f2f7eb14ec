// Reading single elements of stored weights, whatever their type and alignment.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "laurel/base/dtype.h"
#include "laurel/base/half.h"
#include "laurel/base/stored_values.h"
#include "laurel/kernels/ops.h"

namespace laurel::kernels {

// Element `index` of an array of any type that holds floats (base/stored_values.h). Of a block
// type, its whole block is decoded: not for loops.
inline float load_element(const void* data, DType dtype, std::int64_t index) {
  if (is_quantized(dtype)) {
    const DTypeInfo& info = dtype_info(dtype);
    std::array<float, kMaxBlockElements> values;
    const std::int64_t block = index / info.block_elements;
    values_of(dtype, static_cast<const unsigned char*>(data) + block * info.block_bytes,
              info.block_elements, values.data());
    return values[static_cast<std::size_t>(index % info.block_elements)];
  }
  const auto* bytes = static_cast<const unsigned char*>(data) + index * dtype_size(dtype);
  if (dtype == DType::kF32) {
    float value;
    std::memcpy(&value, bytes, sizeof(value));
    return value;
  }
  std::uint16_t bits;
  std::memcpy(&bits, bytes, sizeof(bits));
  return dtype == DType::kBF16 ? bf16_to_float(bits) : f16_to_float(bits);
}

// The whole array as float32.
inline std::vector<float> load_vector(const void* data, DType dtype, std::int64_t size) {
  std::vector<float> values(static_cast<std::size_t>(size));
  values_of(dtype, data, size, values.data());
  return values;
}

// Row n of a weight as float32.
inline void load_row(const Weight& weight, std::int64_t n, float* to) {
  const std::int64_t bytes = dtype_bytes(weight.dtype, weight.in_features);
  values_of(weight.dtype, static_cast<const unsigned char*>(weight.data) + n * bytes,
            weight.in_features, to);
}

}  // namespace laurel::kernels
