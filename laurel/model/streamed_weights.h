// A decoder's weights read layer by layer while computing: two layers in memory, however many there
// are. See docs/design/streaming.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "laurel/base/thread_pool.h"
#include "laurel/model/block_reader.h"
#include "laurel/model/weight_plan.h"
#include "laurel/model/weight_source.h"

namespace laurel::model {

// Where the tensors of a plan lie in files.
class StreamLayout {
 public:
  StreamLayout(const ModelConfig& config, const WeightPlan& plan);

  std::vector<std::filesystem::path> files;
  std::vector<std::vector<FileRange>> ranges;  // [layers]
  // [layers][tensors of the layer, in the plan's order] index into the layer's ranges; none for one
  // that lies in memory
  std::vector<std::vector<std::optional<std::size_t>>> range_of_tensor;
  const PlannedTensor* embedding = nullptr;

  // Nullopt for a tensor that is no part of a file.
  std::optional<FileRange> range_of(const formats::TensorView& stored) const;

 private:
  void add_to_layer(const PlannedTensor& tensor);
};

// Final norm and head stay in memory; of the embedding, the rows that a pack has tokens of are
// read. What is done to weights on the way (adapter, rounding) is done to a layer when it is asked
// for, and gives the bits that ResidentWeights has. Passes take turns.
class StreamedWeights : public WeightSource {
 public:
  // The plan must outlive it. Throws IoError if a file cannot be read, UserError for an adapter
  // that changes the embedding by a product of low rank.
  StreamedWeights(const ModelConfig& config, const WeightPlan& plan, ThreadPool& pool);

  std::unique_lock<std::mutex> begin_pass() override { return std::unique_lock(pass_mutex_); }
  void embed(std::span<const std::int32_t> tokens, kernels::Matrix x, ThreadPool& pool) override;
  const LayerWeights& layer(std::int64_t index, ThreadPool& pool) override;
  const kernels::VectorParameter& final_norm() const override { return others_.final_norm; }
  const Linear& score() const override { return others_.score; }
  bool keeps_up_with(double seconds_per_layer) const override;

  ReadStatistics statistics() const { return reader_.statistics(); }

 private:
  void load_others(ThreadPool& pool);
  // Bytes of a tensor, which lies at `range` or in memory, from `offset` on.
  void read(const formats::TensorView& stored, const std::optional<FileRange>& range,
            std::uint64_t offset, std::span<std::byte> target) const;

  const WeightPlan& plan_;
  StreamLayout layout_;
  BlockReader reader_;
  std::mutex pass_mutex_;

  std::vector<std::vector<std::byte>> other_bytes_;
  TensorCopies other_copies_;
  DecoderWeights others_;  // final norm and head only

  std::int64_t current_ = -1;  // index of layer_
  LayerWeights layer_;
  TensorCopies copies_;
};

}  // namespace laurel::model
