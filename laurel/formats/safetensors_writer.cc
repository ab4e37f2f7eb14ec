#include "laurel/formats/safetensors_writer.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <tuple>

#include "laurel/base/checked.h"
#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/base/json.h"
#include "laurel/formats/tensor_store.h"

namespace laurel::formats {
namespace {

// Place of the element type in the format's own list, which its writer sorts by, descending.
int dtype_rank(DType dtype) {
  switch (dtype) {
    case DType::kBool:
      return 0;
    case DType::kU8:
      return 1;
    case DType::kI8:
      return 2;
    case DType::kI16:
      return 3;
    case DType::kF16:
      return 4;
    case DType::kBF16:
      return 5;
    case DType::kI32:
      return 6;
    case DType::kF32:
      return 7;
    case DType::kF64:
      return 8;
    case DType::kI64:
      return 9;
    default:
      return -1;  // block types, which the format's list does not have
  }
}

void sort_as_format(std::vector<TensorToWrite>& tensors, const std::string& where) {
  std::sort(tensors.begin(), tensors.end(), [](const TensorToWrite& a, const TensorToWrite& b) {
    const int rank_a = dtype_rank(a.dtype), rank_b = dtype_rank(b.dtype);
    return std::tie(rank_b, a.name) < std::tie(rank_a, b.name);
  });
  std::vector<std::string_view> names;
  for (const TensorToWrite& tensor : tensors) names.push_back(tensor.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) throw UserError("{}: tensor {}: given twice", where, *twice);
}

// The length, the JSON and its padding.
std::string make_header(const std::vector<TensorToWrite>& tensors) {
  Json header = {{"__metadata__", {{"format", "pt"}}}};
  std::uint64_t offset = 0;
  for (const TensorToWrite& tensor : tensors) {
    const std::uint64_t end = checked_add(offset, data_size(tensor), tensor.name);
    header[tensor.name] = {{"dtype", dtype_name(tensor.dtype)},
                           {"shape", tensor.shape},
                           {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  const std::uint64_t length = text.size();
  std::string result(sizeof length, '\0');
  std::memcpy(result.data(), &length, sizeof length);
  return result + text;
}

}  // namespace

std::uint64_t data_size(const TensorToWrite& tensor) {
  return stored_bytes(tensor.dtype, tensor.shape, tensor.name);
}

void write_safetensors(const std::filesystem::path& path, std::vector<TensorToWrite> tensors,
                       const std::function<void(std::uint64_t)>& on_written) {
  sort_as_format(tensors, path.string());
  AtomicFile file(path);
  file.write(make_header(tensors));
  std::uint64_t total = 0;
  for (const TensorToWrite& tensor : tensors) {
    std::uint64_t written = 0;
    tensor.produce([&](std::span<const std::byte> bytes) {
      file.write({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
      written += bytes.size();
      if (on_written) on_written(total + written);
    });
    if (written != data_size(tensor)) {
      throw InternalError("{}: tensor {}: wrong number of bytes produced, expected {}, got {}",
                          path.string(), tensor.name, data_size(tensor), written);
    }
    total += written;
  }
  file.commit();
}

}  // namespace laurel::formats
