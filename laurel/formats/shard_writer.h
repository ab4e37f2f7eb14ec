// A checkpoint's tensors as one safetensors file, or as shards with their index.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "laurel/formats/safetensors_writer.h"

namespace laurel::formats {

struct ShardOptions {
  std::string stem = "model";  // model.safetensors, or model-00001-of-00002.safetensors, …
  std::uint64_t max_bytes = 5'000'000'000;  // of a file's data, unless one tensor is larger
  // Told the bytes of data written so far.
  std::function<void(std::uint64_t)> on_written;
};

// Writes into `directory`, the index (stem.safetensors.index.json, as save_pretrained names it)
// last, and only when there are several files. Returns how many. Throws as write_safetensors does.
std::int64_t write_sharded(const std::filesystem::path& directory,
                           std::vector<TensorToWrite> tensors, const ShardOptions& options);

}  // namespace laurel::formats
