// YAML of run and sweep files.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "laurel/base/error.h"
#include "laurel/formats/yaml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    laurel::formats::parse_yaml({reinterpret_cast<const char*>(data), size}, "fuzz");
  } catch (const laurel::UserError&) {
  }
  return 0;
}
