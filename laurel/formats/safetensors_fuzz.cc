// safetensors files and shard indexes from hostile bytes.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "laurel/base/error.h"
#include "laurel/formats/safetensors.h"
#include "laurel/formats/shard_index.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> file = std::as_bytes(std::span<const std::uint8_t>(data, size));
  try {
    std::size_t total = 0;
    for (const auto& view : laurel::formats::parse_safetensors(file, "fuzz"))
      total += view.data.size();
    if (total > size) __builtin_trap();
  } catch (const laurel::UserError&) {
  }
  try {
    laurel::formats::parse_shard_index({reinterpret_cast<const char*>(data), size}, ".bin", "fuzz");
  } catch (const laurel::UserError&) {
  }
  return 0;
}
