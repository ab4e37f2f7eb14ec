// Where passes over a decoder get its weights from: all at hand, or read layer by layer.
#pragma once

#include <cstdint>
#include <mutex>
#include <span>

#include "laurel/base/thread_pool.h"
#include "laurel/model/decoder_weights.h"

namespace laurel::model {

class WeightSource {
 public:
  virtual ~WeightSource() = default;

  // To be held during a pass: passes that have to take turns do.
  virtual std::unique_lock<std::mutex> begin_pass() { return {}; }

  // x[i] = the embedding of tokens[i], as float32. Tokens are in the vocabulary.
  virtual void embed(std::span<const std::int32_t> tokens, kernels::Matrix x, ThreadPool& pool) = 0;

  // Valid until another layer is asked for. Meant to be asked for in ascending order, over and
  // over.
  virtual const LayerWeights& layer(std::int64_t index, ThreadPool& pool) = 0;

  virtual const kernels::VectorParameter& final_norm() const = 0;
  virtual const Linear& score() const = 0;

  // Whether computing that takes this long with each layer would leave no time in which the next
  // one is not at hand.
  virtual bool keeps_up_with(double /*seconds_per_layer*/) const { return true; }
};

// Weights that lie in memory. Thread-safe; the weights outlive it.
class MemorySource : public WeightSource {
 public:
  explicit MemorySource(const DecoderWeights& weights) : weights_(weights) {}

  void embed(std::span<const std::int32_t> tokens, kernels::Matrix x, ThreadPool& pool) override {
    kernels::embedding(tokens, weights_.embedding, x, pool);
  }
  const LayerWeights& layer(std::int64_t index, ThreadPool&) override {
    return weights_.layers[static_cast<std::size_t>(index)];
  }
  const kernels::VectorParameter& final_norm() const override { return weights_.final_norm; }
  const Linear& score() const override { return weights_.score; }

 private:
  const DecoderWeights& weights_;
};

}  // namespace laurel::model
