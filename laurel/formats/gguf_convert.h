// A GGUF model as an ordinary Hugging Face directory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "laurel/base/dtype.h"
#include "laurel/formats/gguf.h"
#include "laurel/formats/safetensors_writer.h"

namespace laurel::formats {

// How config.json marks a checkpoint with weights in GGUF's blocks. They are in safetensors with
// the names of their types, "Q4_1", which other programs refuse.
inline constexpr std::string_view kBlocksMethod = "laurel-blocks";
inline constexpr std::int64_t kBlocksVersion = 1;

struct GgufConvertOptions {
  std::filesystem::path from;
  std::filesystem::path to;
  // kF32, which holds every block type exactly, or kBF16. None: tensors stay as they are stored.
  std::optional<DType> dtype = DType::kF32;
  std::uint64_t max_shard_bytes = 5'000'000'000;
};

struct GgufConvertResult {
  std::string architecture;  // "LlamaForCausalLM"
  std::int64_t num_tensors = 0;
  std::int64_t num_parameters = 0;
  std::uint64_t num_bytes = 0;  // of tensor data written
  std::int64_t num_shards = 0;
};

// What a conversion writes: small files by name, and the tensors under their Hugging Face names.
// The tensors' producers refer to the GGUF file's bytes.
struct GgufConversion {
  std::string architecture;
  std::map<std::string, std::string> files;
  std::vector<TensorToWrite> tensors;
};

// Everything but the writing. Throws UserError when a tensor is missing, superfluous or of the
// wrong shape.
GgufConversion plan_gguf_conversion(const GgufFile& gguf, std::optional<DType> dtype);

// Writes config.json, generation_config.json, the tokenizer files and model.safetensors (or shards
// with their index, each of at most max_shard_bytes unless one tensor is larger). The directory
// appears whole or not at all. Memory does not grow with the model. Throws UserError, IoError.
GgufConvertResult convert_gguf(const GgufConvertOptions& options);

}  // namespace laurel::formats
