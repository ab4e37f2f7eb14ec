// Lines of plain, gzip and zstd bytes.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "laurel/base/error.h"
#include "laurel/formats/line_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::uint64_t kMaxLine = 1 << 16;
  try {
    auto reader = laurel::formats::LineReader::from_memory(
        std::as_bytes(std::span<const std::uint8_t>(data, size)), "fuzz", kMaxLine);
    for (std::string line; reader.next(line);) {
      if (line.size() > kMaxLine) __builtin_trap();
    }
  } catch (const laurel::UserError&) {
  }
  return 0;
}
