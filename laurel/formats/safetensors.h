// Reading the safetensors format: u64 header size, JSON header, data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "laurel/formats/tensor_store.h"

namespace laurel::formats {

// Largest header the format's reference reader accepts.
inline constexpr std::uint64_t kMaxSafetensorsHeader = 100'000'000;

// The tensors of a file held in memory, in the order of their data; the views point into `file`.
// `where` names the file in error texts. Throws UserError unless the header is valid JSON without
// duplicate keys and the tensors cover the data without holes or overlaps to the last byte.
std::vector<TensorView> parse_safetensors(std::span<const std::byte> file, std::string_view where);

}  // namespace laurel::formats
