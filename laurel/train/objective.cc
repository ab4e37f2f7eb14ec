#include "laurel/train/objective.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace laurel::train {
namespace {

double pair_accuracy(std::span<const double> rewards) {
  std::int64_t right = 0, pairs = 0;
  for (std::size_t i = 0; i < rewards.size(); ++i) {
    for (std::size_t j = i + 1; j < rewards.size(); ++j, ++pairs) right += rewards[i] > rewards[j];
  }
  return static_cast<double>(right) / static_cast<double>(pairs);
}

void add_rewards(std::span<const double> rewards, ObjectiveSums& sums) {
  ++sums.num_examples;
  sums.num_sequences += static_cast<std::int64_t>(rewards.size());
  sums.accuracy += pair_accuracy(rewards);
  sums.chosen_reward += rewards[0];
  const double total = std::accumulate(rewards.begin(), rewards.end(), 0.0);
  sums.rejected_reward += (total - rewards[0]) / static_cast<double>(rewards.size() - 1);
  sums.reward += total;
  for (const double reward : rewards) sums.squared_reward += reward * reward;
}

// Rewards of the micro-batch's sequences in order, from the order of its score points.
std::vector<double> in_sequence_order(const MicroBatch& batch, std::span<const float> rewards) {
  std::vector<double> result(rewards.size());
  for (std::size_t i = 0; i < rewards.size(); ++i) {
    const packing::ScorePoint& point = batch.pack.score_points[i];
    result[static_cast<std::size_t>(point.sequence)] = static_cast<double>(rewards[i]);
  }
  return result;
}

// Adds the micro-batch to the sums; returns the gradient of the sum of its losses with respect to
// the rewards, in sequence order.
std::vector<double> add_losses(const data::TrainingSet& set, const MicroBatch& batch,
                               std::span<const double> rewards, const LossOptions& options,
                               ObjectiveSums& sums) {
  std::vector<double> gradient(rewards.size());
  std::size_t first = 0;
  for (const std::int64_t index : batch.examples) {
    const data::TrainingExample& example = set.examples[static_cast<std::size_t>(index)];
    const std::size_t count = example.sequences.size();
    const double loss =
        example_loss(rewards.subspan(first, count), static_cast<double>(example.margin), options,
                     std::span(gradient).subspan(first, count));
    if (!std::isfinite(loss)) sums.nonfinite.push_back(index);
    sums.loss += loss;
    add_rewards(rewards.subspan(first, count), sums);
    first += count;
  }
  sums.num_tokens += batch.num_tokens;
  sums.padded_tokens += batch.padded_tokens;
  sums.computed_tokens += static_cast<std::int64_t>(batch.pack.tokens.size());
  return gradient;
}

}  // namespace

double ObjectiveSums::reward_std() const {
  const double mean = reward_mean();
  return std::sqrt(
      std::max(0.0, squared_reward / static_cast<double>(num_sequences) - mean * mean));
}

ObjectiveSums add_gradients(model::TrainableModel& model, const data::TrainingSet& set,
                            std::span<const std::int64_t> examples, const LossOptions& loss,
                            const MicroBatchOptions& cut, FrozenCache* cache, ThreadPool& pool) {
  ObjectiveSums sums;
  const double scale = 1 / static_cast<double>(examples.size());
  for (const MicroBatch& batch : plan_micro_batches(set, examples, cut)) {
    const kernels::ConstMatrix frozen =
        cache == nullptr ? kernels::ConstMatrix{} : cache->states(batch, model, pool);
    const std::vector<double> rewards =
        in_sequence_order(batch, model.forward(batch.pack, frozen, pool));
    const std::vector<double> gradient = add_losses(set, batch, rewards, loss, sums);
    if (!sums.nonfinite.empty()) continue;  // only the names of the others are of interest now
    std::vector<float> d_rewards;
    for (const packing::ScorePoint& point : batch.pack.score_points) {
      d_rewards.push_back(
          static_cast<float>(scale * gradient[static_cast<std::size_t>(point.sequence)]));
    }
    model.backward(d_rewards, pool);
  }
  return sums;
}

ObjectiveSums evaluate(const model::TrainableModel& model, const data::TrainingSet& set,
                       const LossOptions& loss, std::int64_t max_tokens, ThreadPool& pool) {
  ObjectiveSums sums;
  const auto count = static_cast<std::int64_t>(set.examples.size());
  for (std::int64_t begin = 0; begin < count; begin += kEvaluatedTogether) {
    std::vector<std::int64_t> examples(
        static_cast<std::size_t>(std::min(kEvaluatedTogether, count - begin)));
    std::iota(examples.begin(), examples.end(), begin);
    for (const MicroBatch& batch : plan_micro_batches(set, examples, {.max_tokens = max_tokens})) {
      const auto rewards = in_sequence_order(batch, model.evaluate(batch.pack, pool));
      add_losses(set, batch, rewards, loss, sums);
    }
  }
  return sums;
}

}  // namespace laurel::train
