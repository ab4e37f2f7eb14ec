#include "laurel/model/streamed_weights.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <string>

#include "laurel/base/error.h"

namespace laurel::model {
namespace {

// Computing a layer should take this many times what reading one does: disks have slow moments, and
// the reading itself takes a little from the cores.
constexpr double kComputePerRead = 4;

using Named = std::map<std::string, kernels::Weight, std::less<>>;

FindWeight finder(const Named& tensors) {
  return [&tensors](const std::string& name) {
    const auto found = tensors.find(name);
    return found != tensors.end() ? found->second : kernels::Weight{};
  };
}

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
      tensors(static_cast<std::size_t>(config.num_layers)) {
  for (const PlannedTensor& tensor : plan.tensors()) {
    if (std::find(files.begin(), files.end(), tensor.stored->file) == files.end()) {
      files.emplace_back(tensor.stored->file);
    }
    if (tensor.expected.layer >= 0) {
      add_to_layer(tensor);
    } else if (tensor.expected.name == std::string(kEmbeddingName) + ".weight") {
      embedding = &tensor;
    } else {
      others.push_back(&tensor);
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
  tensors[layer].push_back({&tensor, std::nullopt});
  if (!range) return;
  tensors[layer].back().range = ranges[layer].size();
  ranges[layer].push_back(*range);
}

StreamedWeights::StreamedWeights(const ModelConfig& config, const WeightPlan& plan,
                                 ThreadPool& pool)
    : plan_(plan), layout_(config, plan), reader_(layout_.files, layout_.ranges) {
  if (layout_.embedding->lora != nullptr) {
    throw UserError(
        "{}: tensor {}: an adapter of the embedding is not supported while weights are streamed",
        layout_.embedding->lora->a->file, layout_.embedding->lora->a->name);
  }
  load_others(config, pool);
}

void StreamedWeights::load_others(const ModelConfig& config, ThreadPool& pool) {
  Named tensors;
  for (const PlannedTensor* tensor : layout_.others) {
    other_bytes_.emplace_back(tensor->stored->data.size());
    read(*tensor->stored, 0, other_bytes_.back());
    tensors[tensor->expected.name] =
        plan_.prepare(*tensor, other_bytes_.back().data(), other_copies_, pool);
  }
  ModelConfig without_layers = config;
  without_layers.num_layers = 0;
  others_ = assign_roles(without_layers, finder(tensors));
}

void StreamedWeights::read(const formats::TensorView& stored, std::uint64_t offset,
                           std::span<std::byte> target) const {
  if (const std::optional<FileRange> range = layout_.range_of(stored)) {
    reader_.read({range->file, range->offset + offset, target.size()}, target.data());
  } else {
    std::memcpy(target.data(), stored.data.data() + offset, target.size());
  }
}

void StreamedWeights::embed(std::span<const std::int32_t> tokens, kernels::Matrix x,
                            ThreadPool& pool) {
  reader_.prefetch();
  const formats::TensorView& stored = *layout_.embedding->stored;
  const DistinctTokens distinct(tokens);
  const auto row_bytes = static_cast<std::size_t>(x.cols * dtype_size(stored.dtype));
  std::vector<std::byte> table(distinct.values.size() * row_bytes);
  for (std::size_t i = 0; i < distinct.values.size(); ++i) {
    read(stored, static_cast<std::uint64_t>(distinct.values[i]) * row_bytes,
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
  Named tensors;
  for (const StreamLayout::Tensor& tensor : layout_.tensors[static_cast<std::size_t>(index)]) {
    const std::byte* data =
        tensor.range ? places[*tensor.range] : tensor.planned->stored->data.data();
    tensors[tensor.planned->expected.name] = plan_.prepare(*tensor.planned, data, copies_, pool);
  }
  layer_ = assign_layer_roles(index, finder(tensors));
  current_ = index;
  return layer_;
}

bool StreamedWeights::keeps_up_with(double seconds_per_layer) const {
  const double slowest = reader_.slowest_block();
  return slowest > 0 && seconds_per_layer >= kComputePerRead * slowest;
}

}  // namespace laurel::model
