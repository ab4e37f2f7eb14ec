#include "laurel/formats/shard_writer.h"

#include <fmt/format.h>

#include <map>

#include "laurel/base/file.h"
#include "laurel/base/json.h"

namespace laurel::formats {
namespace {

std::vector<std::vector<TensorToWrite>> cut_into_shards(std::vector<TensorToWrite> tensors,
                                                        std::uint64_t max_bytes) {
  std::vector<std::vector<TensorToWrite>> shards(1);
  std::uint64_t size = 0;
  for (TensorToWrite& tensor : tensors) {
    const std::uint64_t bytes = data_size(tensor);
    if (!shards.back().empty() && size + bytes > max_bytes) {
      shards.emplace_back();
      size = 0;
    }
    size += bytes;
    shards.back().push_back(std::move(tensor));
  }
  return shards;
}

}  // namespace

std::int64_t write_sharded(const std::filesystem::path& directory,
                           std::vector<TensorToWrite> tensors, const ShardOptions& options) {
  auto shards = cut_into_shards(std::move(tensors), options.max_bytes);
  const std::size_t num_shards = shards.size();
  std::map<std::string, std::string> weight_map;
  std::uint64_t done = 0;
  for (std::size_t i = 0; i < num_shards; ++i) {
    const std::string name = num_shards == 1 ? options.stem + ".safetensors"
                                             : fmt::format("{}-{:05}-of-{:05}.safetensors",
                                                           options.stem, i + 1, num_shards);
    std::uint64_t size = 0;
    for (const TensorToWrite& tensor : shards[i]) {
      weight_map[tensor.name] = name;
      size += data_size(tensor);
    }
    write_safetensors(directory / name, std::move(shards[i]), [&](std::uint64_t written) {
      if (options.on_written) options.on_written(done + written);
    });
    done += size;
  }
  if (num_shards > 1) {
    const Json index = {{"metadata", {{"total_size", done}}}, {"weight_map", weight_map}};
    write_file(directory / (options.stem + ".safetensors.index.json"), to_text(index));
  }
  return static_cast<std::int64_t>(num_shards);
}

}  // namespace laurel::formats
