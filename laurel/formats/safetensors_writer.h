// Writing safetensors files of any size with bounded memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "laurel/base/dtype.h"

namespace laurel::formats {

// Takes the next bytes of a tensor.
using ByteSink = std::function<void(std::span<const std::byte>)>;

struct TensorToWrite {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  // Passes the tensor's bytes (row-major, little-endian) to the sink, in as many pieces as it
  // likes.
  std::function<void(const ByteSink& sink)> produce;
};

// Bytes of the tensor's data.
std::uint64_t data_size(const TensorToWrite& tensor);

// Writes the file as the format's own writer does: element types of larger alignment first, then by
// name; header padded to a multiple of 8 bytes; {"format": "pt"}. The file appears whole or not at
// all. `on_written` is told the bytes of data written so far. Throws UserError for a duplicate
// name, InternalError when a tensor produces a wrong number of bytes, IoError.
void write_safetensors(const std::filesystem::path& path, std::vector<TensorToWrite> tensors,
                       const std::function<void(std::uint64_t)>& on_written = {});

}  // namespace laurel::formats
