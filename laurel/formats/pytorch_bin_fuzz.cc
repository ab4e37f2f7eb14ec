// Torch checkpoints from hostile bytes: the whole archive, and the bytes as a bare pickle.
#include <cstddef>
#include <cstdint>
#include <span>

#include "laurel/base/error.h"
#include "laurel/formats/pickle.h"
#include "laurel/formats/pytorch_bin.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> file = std::as_bytes(std::span<const std::uint8_t>(data, size));
  laurel::formats::OwnedTensors copies;
  try {
    unsigned sum = 0;
    for (const auto& view : laurel::formats::parse_pytorch_bin(file, "fuzz", copies)) {
      for (const std::byte byte : view.data) sum += static_cast<unsigned>(byte);
    }
    if (sum == 0xffffffffu) __builtin_trap();  // keeps the reads
  } catch (const laurel::UserError&) {
  }
  std::size_t copied = 0;
  for (const auto& copy : copies) copied += copy.size();
  if (copied > size) __builtin_trap();
  try {
    laurel::formats::parse_pickle(file, "fuzz");
  } catch (const laurel::UserError&) {
  }
  return 0;
}
