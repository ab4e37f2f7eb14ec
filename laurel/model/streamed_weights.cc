#include "laurel/model/streamed_weights.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "laurel/base/error.h"

namespace laurel::model {
namespace {

// Computing a layer should take this many times what reading one does: disks have slow moments, and
// the reading itself takes a little from the cores.
constexpr double kComputePerRead = 4;

// Distinct values in ascending order, and the place of each token's among them.
struct DistinctTokens {
  std::vector<std::int32_t> values;
  std::vector<std::int32_t> places;

  explicit DistinctTokens(std::span<const std::int32_t> tokens)
      : values(tokens.begin(), tokens.end()) {
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    for (const std::int32_t token : tokens) {
      const auto place = std::lower_bound(values.begin(), values.end(), token) - values.begin();
      places.push_back(static_cast<std::int32_t>(place));
    }
  }
};

}  // namespace

StreamLayout::StreamLayout(const ModelConfig& config, const WeightPlan& plan)
    : ranges(static_cast<std::size_t>(config.num_layers)),
      range_of_tensor(static_cast<std::size_t>(config.num_layers)) {
  for (const PlannedTensor& tensor : plan.tensors()) {
    if (std::find(files.begin(), files.end(), tensor.stored->file) == files.end()) {
      files.emplace_back(tensor.stored->file);
    }
    if (tensor.expected.layer >= 0) {
      add_to_layer(tensor);
    } else if (tensor.expected.name == std::string(kEmbeddingName) + ".weight") {
      embedding = &tensor;
    }
  }
}

std::optional<FileRange> StreamLayout::range_of(const formats::TensorView& stored) const {
  if (!stored.file_offset) return std::nullopt;
  const auto file = std::find(files.begin(), files.end(), stored.file);
  return FileRange{static_cast<std::size_t>(file - files.begin()), *stored.file_offset,
                   stored.data.size()};
}

void StreamLayout::add_to_layer(const PlannedTensor& tensor) {
  const auto layer = static_cast<std::size_t>(tensor.expected.layer);
  const std::optional<FileRange> range = range_of(*tensor.stored);
  range_of_tensor[layer].push_back(range ? std::optional(ranges[layer].size()) : std::nullopt);
  if (range) ranges[layer].push_back(*range);
}

StreamedWeights::StreamedWeights(const ModelConfig& config, const WeightPlan& plan,
                                 ThreadPool& pool)
    : plan_(plan), layout_(config, plan), reader_(layout_.files, layout_.ranges) {
  if (layout_.embedding->lora != nullptr) {
    throw UserError(
        "{}: tensor {}: an adapter of the embedding is not supported while weights are streamed",
        layout_.embedding->lora->a->file, layout_.embedding->lora->a->name);
  }
  load_others(pool);
}

void StreamedWeights::load_others(ThreadPool& pool) {
  const StoredBytes bytes = [&](const PlannedTensor& tensor) -> const std::byte* {
    if (&tensor == layout_.embedding) return nullptr;
    std::vector<std::byte>& read_bytes = other_bytes_.emplace_back(tensor.stored->data.size());
    read(*tensor.stored, layout_.range_of(*tensor.stored), 0, read_bytes);
    return read_bytes.data();
  };
  others_ = plan_.outside_layers(bytes, other_copies_, pool);
}

void StreamedWeights::read(const formats::TensorView& stored, const std::optional<FileRange>& range,
                           std::uint64_t offset, std::span<std::byte> target) const {
  if (range) {
    reader_.read({range->file, range->offset + offset, target.size()}, target.data());
  } else {
    std::memcpy(target.data(), stored.data.data() + offset, target.size());
  }
}

void StreamedWeights::embed(std::span<const std::int32_t> tokens, kernels::Matrix x,
                            ThreadPool& pool) {
  reader_.prefetch();
  const formats::TensorView& stored = *layout_.embedding->stored;
  const std::optional<FileRange> range = layout_.range_of(stored);
  const DistinctTokens distinct(tokens);
  const auto row_bytes = static_cast<std::size_t>(dtype_bytes(stored.dtype, x.cols));
  std::vector<std::byte> table(distinct.values.size() * row_bytes);
  for (std::size_t i = 0; i < distinct.values.size(); ++i) {
    read(stored, range, static_cast<std::uint64_t>(distinct.values[i]) * row_bytes,
         std::span(table).subspan(i * row_bytes, row_bytes));
  }
  const auto num_rows = static_cast<std::int64_t>(distinct.values.size());
  // Not rounded to the compute type: whoever asked rounds x, with the same result.
  kernels::embedding(distinct.places, {table.data(), stored.dtype, num_rows, x.cols}, x, pool);
}

const LayerWeights& StreamedWeights::layer(std::int64_t index, ThreadPool& pool) {
  if (index == current_) return layer_;
  current_ = -1;
  copies_ = {};
  const std::span<const std::byte* const> places = reader_.block(index);
  const std::vector<std::optional<std::size_t>>& ranges =
      layout_.range_of_tensor[static_cast<std::size_t>(index)];
  std::size_t next = 0;  // tensors come in the plan's order
  const StoredBytes bytes = [&](const PlannedTensor& tensor) {
    const std::optional<std::size_t> range = ranges[next++];
    return range ? places[*range] : tensor.stored->data.data();
  };
  layer_ = plan_.layer(index, bytes, copies_, pool);
  current_ = index;
  return layer_;
}

bool StreamedWeights::keeps_up_with(double seconds_per_layer) const {
  const double slowest = reader_.slowest_block();
  return slowest > 0 && seconds_per_layer >= kComputePerRead * slowest;
}

}  // namespace laurel::model
