// A checkpoint's tensors, by name, wherever they are stored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "laurel/base/dtype.h"

namespace laurel::formats {

// A tensor's bytes in a file: contiguous, row-major, little-endian, possibly unaligned.
struct TensorView {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> data;
  std::string file;
  // Where `data` begins in the file; none for a copy of elements that are not contiguous there.
  std::optional<std::uint64_t> file_offset = std::nullopt;
};

// "[1536, 576]"
std::string shape_text(std::span<const std::int64_t> shape);

// Bytes of a tensor. Throws UserError `<place>: …` if they do not fit into 64 bits, or rows are not
// whole blocks.
std::uint64_t stored_bytes(DType dtype, std::span<const std::int64_t> shape,
                           std::string_view place);

// The tensors of one checkpoint, with the mappings that keep them alive. Immutable; thread-safe.
class TensorStore {
 public:
  // Looks in `directory` for, in this order: model.safetensors, model.safetensors.index.json and
  // its shards, pytorch_model.bin, pytorch_model.bin.index.json and its shards. Throws UserError
  // when there is none (naming what was looked for) or a file is damaged, IoError when one cannot
  // be read.
  static TensorStore open(const std::filesystem::path& directory);
  static TensorStore open_file(const std::filesystem::path& file);  // one .safetensors or .bin file

  TensorStore(TensorStore&&) noexcept;
  TensorStore& operator=(TensorStore&&) noexcept;
  ~TensorStore();

  // nullptr if absent.
  const TensorView* find(std::string_view name) const;
  // In name order.
  const std::map<std::string, TensorView, std::less<>>& tensors() const;
  // Files the tensors come from, in name order.
  const std::vector<std::filesystem::path>& files() const;

 private:
  struct Impl;
  explicit TensorStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace laurel::formats
