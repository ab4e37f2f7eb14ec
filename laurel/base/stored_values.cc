#include "laurel/base/stored_values.h"

#include <cstring>

#include "laurel/base/error.h"
#include "laurel/base/half.h"
#include "laurel/base/quantized_blocks.h"

namespace laurel {
namespace {

template <DType kDType>
void blocks_to_values(const std::uint8_t* data, std::int64_t count, float* out) {
  constexpr DTypeInfo kInfo = dtype_info(kDType);
  for (std::int64_t i = 0; i < count; i += kInfo.block_elements, data += kInfo.block_bytes)
    quantized::block_values<kDType>(data, out + i);
}

template <typename Convert>
void halves_to_values(const std::uint8_t* data, std::int64_t count, const Convert& convert,
                      float* out) {
  for (std::int64_t i = 0; i < count; ++i) {
    std::uint16_t bits;
    std::memcpy(&bits, data + 2 * i, sizeof bits);
    out[i] = convert(bits);
  }
}

}  // namespace

void values_of(DType dtype, const void* data, std::int64_t count, float* out) {
  if (count == 0) return;
  const auto* bytes = static_cast<const std::uint8_t*>(data);
  if (dtype == DType::kF32) {
    std::memcpy(out, bytes, static_cast<std::size_t>(count) * sizeof(float));
  } else if (dtype == DType::kBF16) {
    halves_to_values(bytes, count, bf16_to_float, out);
  } else if (dtype == DType::kF16) {
    halves_to_values(bytes, count, f16_to_float, out);
  } else if (!quantized::with_block_type(
                 dtype, [&]<DType kDType>() { blocks_to_values<kDType>(bytes, count, out); })) {
    throw InternalError("values_of: no values of type {}", dtype_name(dtype));
  }
}

}  // namespace laurel
