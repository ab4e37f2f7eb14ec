// GGUF files from hostile bytes, up to the values of every converted tensor.
#include <cstddef>
#include <cstdint>
#include <span>

#include "laurel/base/error.h"
#include "laurel/formats/gguf_convert.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace laurel::formats;
  const std::span<const std::byte> file = std::as_bytes(std::span<const std::uint8_t>(data, size));
  try {
    const GgufFile gguf = GgufFile::parse(file, "fuzz");
    for (const std::optional<laurel::DType> dtype : {std::optional(laurel::DType::kBF16), {}}) {
      for (const TensorToWrite& tensor : plan_gguf_conversion(gguf, dtype).tensors) {
        std::uint64_t written = 0;
        tensor.produce([&](std::span<const std::byte> bytes) { written += bytes.size(); });
        if (written != data_size(tensor)) __builtin_trap();
      }
    }
  } catch (const laurel::UserError&) {
  }
  return 0;
}
