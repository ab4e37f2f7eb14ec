// Stored arrays of floating-point numbers, plain or in blocks, as float32.
#pragma once

#include <cstdint>

#include "laurel/base/dtype.h"

namespace laurel {

// Whether values_of() takes it: F32, F16, BF16 and the block types.
constexpr bool holds_floats(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16 ||
         is_quantized(dtype);
}

// The first `count` values at `data`, which has any alignment: whole blocks. Throws InternalError
// for other types.
void values_of(DType dtype, const void* data, std::int64_t count, float* out);

}  // namespace laurel
