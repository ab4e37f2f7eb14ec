// The element types of GGUF tensors.
#pragma once

#include <cstdint>
#include <string_view>

#include "laurel/base/dtype.h"

namespace laurel::formats {

// By the format's number: F32, F16, BF16 or a block type of base/dtype.h. Throws UserError
// `<where>: …` naming the type if it is another one.
DType gguf_dtype(std::uint32_t id, std::string_view where);

}  // namespace laurel::formats
