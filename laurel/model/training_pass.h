// The forward pass that keeps what backward needs, and backward, over one pack.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "laurel/model/block_backward.h"
#include "laurel/model/forward_pass.h"
#include "laurel/model/trainable_model.h"

namespace laurel::model {

// Which of a block's values are kept from forward to backward.
struct KeptValues {
  bool attention = true;  // q, k, v, attended, log_sum_exp
  bool mlp = true;        // x_mid, gate, up
};
KeptValues kept_values(Recompute recompute);

class TrainingPass {
 public:
  // Layers before first_layer are not trained, nor is then the embedding. config must outlive the
  // pass.
  TrainingPass(const ModelConfig& config, std::int64_t first_layer, Recompute recompute)
      : config_(config), first_layer_(first_layer), kept_values_(kept_values(recompute)) {}

  // As TrainableModel's functions. `weights` must be the same in forward() and backward().
  std::vector<float> forward(const DecoderWeights& weights, const packing::Pack& pack,
                             kernels::ConstMatrix frozen_states, ThreadPool& pool);
  void backward(const DecoderWeights& weights, const DecoderGradients& gradients,
                std::span<const float> d_rewards, ThreadPool& pool);
  std::vector<float> evaluate(const DecoderWeights& weights, const packing::Pack& pack,
                              ThreadPool& pool);
  std::vector<float> frozen_states(const DecoderWeights& weights, const packing::Pack& pack,
                                   ThreadPool& pool);

 private:
  PassContext context(const PackLayout& layout, ThreadPool& pool) {
    return {config_, layout, Precision::kF32, scratch_, pool};
  }
  const QueryRows& queries_of(std::int64_t layer) const {
    return layer + 1 < config_.num_layers ? layout_->all : layout_->scored;
  }
  kernels::Matrix frozen_part(const PassContext& context, const DecoderWeights& weights,
                              kernels::ConstMatrix frozen_states);
  void train_layer(const PassContext& context, const DecoderWeights& weights, std::int64_t index,
                   kernels::Matrix out);
  void allocate(std::int64_t layer, bool kept, BlockValues& values);
  void restore(const BlockForward& block, const BlockValues& values) const;
  void head_backward(const PassContext& context, const DecoderWeights& weights,
                     const DecoderGradients& gradients, std::span<const float> d_rewards,
                     kernels::Matrix dx);

  const ModelConfig& config_;
  std::int64_t first_layer_;
  KeptValues kept_values_;
  Arena kept_;                          // from forward to backward
  Arena scratch_;                       // within one call
  std::unique_ptr<PackLayout> layout_;  // of the last forward(), until backward()
  std::vector<BlockValues> blocks_;     // of the trained layers
  kernels::Matrix final_x_;             // [scored rows, hidden]
};

}  // namespace laurel::model
