// The loss of a set of examples under a model: with gradients for training, without for evaluation.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "laurel/base/thread_pool.h"
#include "laurel/data/training_set.h"
#include "laurel/model/trainable_model.h"
#include "laurel/train/frozen_cache.h"
#include "laurel/train/loss.h"
#include "laurel/train/micro_batch.h"

namespace laurel::train {

// Sums over examples, in their order. Of a ranked list the chosen reward is the first one's and the
// rejected one the mean of the others.
struct ObjectiveSums {
  std::int64_t num_examples = 0;
  std::int64_t num_sequences = 0;
  double loss = 0;
  double accuracy = 0;  // share of an example's pairs with better > worse, strictly
  double chosen_reward = 0;
  double rejected_reward = 0;
  double reward = 0;          // over sequences
  double squared_reward = 0;  // over sequences
  std::int64_t num_tokens = 0;
  std::int64_t computed_tokens = 0;
  std::int64_t padded_tokens = 0;
  std::vector<std::int64_t> nonfinite;  // examples whose loss is NaN or infinite

  double mean(double sum) const { return sum / static_cast<double>(num_examples); }
  double margin() const { return chosen_reward - rejected_reward; }
  double reward_mean() const { return reward / static_cast<double>(num_sequences); }
  double reward_std() const;  // of the population
};

// Adds the gradients of the mean loss over `examples` to the model's. `cache` may be null. When an
// example's loss is not finite, gradients are not to be used.
ObjectiveSums add_gradients(model::TrainableModel& model, const data::TrainingSet& set,
                            std::span<const std::int64_t> examples, const LossOptions& loss,
                            const MicroBatchOptions& cut, FrozenCache* cache, ThreadPool& pool);

// Examples that evaluate() plans packs of at once.
constexpr std::int64_t kEvaluatedTogether = 64;

// Over the whole set.
ObjectiveSums evaluate(const model::TrainableModel& model, const data::TrainingSet& set,
                       const LossOptions& loss, std::int64_t max_tokens, ThreadPool& pool);

}  // namespace laurel::train
