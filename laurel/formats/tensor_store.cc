#include "laurel/formats/tensor_store.h"

#include <fmt/ranges.h>

#include <functional>
#include <set>
#include <utility>

#include "laurel/base/checked.h"
#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/formats/pytorch_bin.h"
#include "laurel/formats/safetensors.h"
#include "laurel/formats/shard_index.h"

namespace laurel::formats {

namespace fs = std::filesystem;

namespace {

std::optional<std::uint64_t> offset_in(std::span<const std::byte> file,
                                       std::span<const std::byte> data) {
  const std::less_equal<const std::byte*> before;  // defined for pointers to different arrays, too
  const std::byte* file_end = file.data() + file.size();
  if (!before(file.data(), data.data()) || !before(data.data() + data.size(), file_end)) {
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(data.data() - file.data());
}

}  // namespace

struct TensorStore::Impl {
  std::vector<MappedFile> mappings;
  OwnedTensors copies;  // of tensors that are not contiguous in their file
  std::map<std::string, TensorView, std::less<>> tensors;
  std::vector<fs::path> files;

  // The tensors of one file, mapped as long as this object lives.
  std::vector<TensorView> map_file(const fs::path& path) {
    files.push_back(path);
    const std::span<const std::byte> bytes = mappings.emplace_back(path).bytes();
    std::vector<TensorView> views = path.extension() == ".bin"
                                        ? parse_pytorch_bin(bytes, path.string(), copies)
                                        : parse_safetensors(bytes, path.string());
    for (TensorView& view : views) view.file_offset = offset_in(bytes, view.data);
    return views;
  }

  void add_file(const fs::path& path) {
    for (TensorView& view : map_file(path)) {
      std::string name = view.name;
      tensors.insert_or_assign(std::move(name), std::move(view));
    }
  }

  // Adds the tensors of `index` from the files it names; tensors of the files that it does not name
  // are left out.
  void add_shards(const fs::path& index, std::string_view extension) {
    const std::map<std::string, std::string> weight_map = read_shard_index(index, extension);
    std::set<std::string> names;
    for (const auto& [tensor, file] : weight_map) names.insert(file);
    for (const std::string& file : names) {
      for (TensorView& view : map_file(index.parent_path() / file)) {
        const auto entry = weight_map.find(view.name);
        if (entry != weight_map.end() && entry->second == file)
          tensors.emplace(entry->first, std::move(view));
      }
    }
    for (const auto& [tensor, file] : weight_map) {
      if (!tensors.contains(tensor)) {
        throw UserError("{}: tensor {}: not found in {}, where the index places it", index.string(),
                        tensor, file);
      }
    }
  }
};

std::string shape_text(std::span<const std::int64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::uint64_t stored_bytes(DType dtype, std::span<const std::int64_t> shape,
                           std::string_view place) {
  const DTypeInfo& info = dtype_info(dtype);
  const std::int64_t row = shape.empty() ? 1 : shape.back();
  if (row % info.block_elements != 0) {
    throw UserError("{}: row length {} is no multiple of the block of {} elements", place, row,
                    info.block_elements);
  }
  auto size = static_cast<std::uint64_t>(info.block_bytes);
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const std::int64_t extent = i + 1 == shape.size() ? shape[i] / info.block_elements : shape[i];
    size = checked_mul(size, checked_cast<std::uint64_t>(extent, place), place);
  }
  return size;
}

TensorStore::TensorStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TensorStore::TensorStore(TensorStore&&) noexcept = default;
TensorStore& TensorStore::operator=(TensorStore&&) noexcept = default;
TensorStore::~TensorStore() = default;

TensorStore TensorStore::open(const fs::path& directory) {
  if (!fs::is_directory(directory)) throw UserError("{}: not a directory", directory.string());
  auto impl = std::make_unique<Impl>();
  for (const auto& [stem, extension] :
       {std::pair{"model", ".safetensors"}, std::pair{"pytorch_model", ".bin"}}) {
    const fs::path whole = directory / fmt::format("{}{}", stem, extension);
    const fs::path index = directory / fmt::format("{}{}.index.json", stem, extension);
    if (fs::exists(whole)) {
      impl->add_file(whole);
    } else if (fs::exists(index)) {
      impl->add_shards(index, extension);
    } else {
      continue;
    }
    return TensorStore(std::move(impl));
  }
  throw UserError(
      "{}: no weights found, expected model.safetensors, model.safetensors.index.json, "
      "pytorch_model.bin or pytorch_model.bin.index.json",
      directory.string());
}

TensorStore TensorStore::open_file(const fs::path& file) {
  if (file.extension() != ".safetensors" && file.extension() != ".bin") {
    throw UserError("{}: unknown kind of weight file, expected .safetensors or .bin",
                    file.string());
  }
  auto impl = std::make_unique<Impl>();
  impl->add_file(file);
  return TensorStore(std::move(impl));
}

const TensorView* TensorStore::find(std::string_view name) const {
  const auto found = impl_->tensors.find(name);
  return found == impl_->tensors.end() ? nullptr : &found->second;
}

const std::map<std::string, TensorView, std::less<>>& TensorStore::tensors() const {
  return impl_->tensors;
}
const std::vector<fs::path>& TensorStore::files() const { return impl_->files; }

}  // namespace laurel::formats
