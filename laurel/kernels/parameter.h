// Reading single elements of stored weights, whatever their type and alignment.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "laurel/base/dtype.h"
#include "laurel/base/half.h"

namespace laurel::kernels {

// Element `index` of an array of kF32, kBF16 or kF16.
inline float load_element(const void* data, DType dtype, std::int64_t index) {
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
  std::vector<float> values;
  values.reserve(static_cast<std::size_t>(size));
  for (std::int64_t i = 0; i < size; ++i) values.push_back(load_element(data, dtype, i));
  return values;
}

}  // namespace laurel::kernels
