// A decoder with a score head: packs of tokens in, rewards out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "laurel/base/thread_pool.h"
#include "laurel/model/config.h"
#include "laurel/model/weights.h"
#include "laurel/packing/forest.h"

namespace laurel::model {

struct LoadOptions {
  std::filesystem::path directory;
  std::filesystem::path adapter;  // empty for none
  Precision precision = Precision::kF32;
};

// Immutable after loading; forward() may run on several threads at once if each brings its own
// pool.
class RewardModel {
 public:
  // Throws UserError or IoError if the checkpoint cannot be used.
  RewardModel(const LoadOptions& options, ThreadPool& pool);
  RewardModel(ModelConfig config, Weights weights, Precision precision);  // e.g. for tests
  ~RewardModel();
  RewardModel(RewardModel&&) noexcept;

  const ModelConfig& config() const;
  const Weights& weights() const;
  // Files whose contents determine the rewards: config, tensors, adapter. In name order.
  const std::vector<std::filesystem::path>& files() const;

  // One reward per score point of the pack, in the order of pack.score_points. Token ids must be in
  // [0, vocab_size) (InternalError otherwise). A reward depends only on the tokens on its path, bit
  // for bit.
  std::vector<float> forward(const packing::Pack& pack, ThreadPool& pool) const;

  // Bytes of activations that forward() needs for a pack of this many rows.
  std::int64_t activation_bytes(std::int64_t num_rows) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace laurel::model
