// Tiny models, preference pairs and their gradients for the tests of training.
#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "laurel/base/json.h"
#include "laurel/model/trainable_model.h"
#include "laurel/packing/forest.h"

namespace laurel::model {

// A case of tests/goldens/gradients.
struct GradientCase {
  std::filesystem::path directory;
  std::vector<std::vector<std::int32_t>> sequences;
  std::vector<std::pair<std::size_t, std::size_t>> pairs;  // chosen, rejected
  std::vector<double> rewards;                             // of the sequences
  double loss = 0;
  double peer_error = 0;  // largest relative error of its float32 gradients

  explicit GradientCase(const std::string& name)
      : directory(std::filesystem::path(LAUREL_SOURCE_DIR) / "tests/goldens/gradients" / name) {
    const Json json = read_json_file(directory / "expected.json");
    sequences = json["sequences"].get<decltype(sequences)>();
    pairs = json["pairs"].get<decltype(pairs)>();
    rewards = json["rewards"].get<decltype(rewards)>();
    loss = json["loss"];
    peer_error = json["peer_error"];
  }

  TrainableModel model(const TrainableOptions& options, ThreadPool& pool) const {
    return TrainableModel(read_config(directory), formats::TensorStore::open(directory), options,
                          pool);
  }

  // Every pair's two sequences, one after the other, in one pack: sequence 2 p is pair p's chosen
  // one.
  packing::Pack pack(bool share_prefixes = true) const {
    std::vector<packing::Sequence> list;
    for (const auto& [chosen, rejected] : pairs) {
      list.push_back({sequences[chosen], 0});
      list.push_back({sequences[rejected], 0});
    }
    return packing::plan_packs(list, {1 << 20, share_prefixes}).at(0);
  }
};

// Mean of -log σ(chosen - rejected), and its gradient by the rewards of the pack's score points.
struct PairLoss {
  double loss = 0;
  std::vector<float> d_rewards;

  PairLoss(const packing::Pack& pack, const std::vector<float>& rewards)
      : d_rewards(rewards.size()) {
    const std::size_t num_pairs = rewards.size() / 2;
    std::vector<std::size_t> point(rewards.size());
    for (std::size_t i = 0; i < rewards.size(); ++i) {
      point[static_cast<std::size_t>(pack.score_points[i].sequence)] = i;
    }
    for (std::size_t p = 0; p < num_pairs; ++p) {
      const std::size_t chosen = point[2 * p], rejected = point[2 * p + 1];
      const double margin = static_cast<double>(rewards[chosen]) - rewards[rejected];
      loss += std::log1p(std::exp(-margin)) / static_cast<double>(num_pairs);
      const double slope = 1 / (1 + std::exp(margin)) / static_cast<double>(num_pairs);
      d_rewards[chosen] = static_cast<float>(-slope);
      d_rewards[rejected] = static_cast<float>(slope);
    }
  }
};

using Tensors = std::map<std::string, std::vector<float>>;

inline Tensors gradients_of(const TrainableModel& model) {
  Tensors gradients;
  for (const Parameter& parameter : model.parameters()) {
    gradients[parameter.name] = {parameter.gradient.begin(), parameter.gradient.end()};
  }
  return gradients;
}

// Gradients of one forward and backward over the pack.
inline Tensors train_once(TrainableModel& model, const packing::Pack& pack, ThreadPool& pool,
                          kernels::ConstMatrix frozen_states = {}) {
  model.clear_gradients(pool);
  const PairLoss loss(pack, model.forward(pack, frozen_states, pool));
  model.backward(loss.d_rewards, pool);
  return gradients_of(model);
}

// ‖a - b‖ / ‖b‖
inline double relative_distance(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    difference += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
    size += static_cast<double>(b[i]) * b[i];
  }
  return std::sqrt(difference / size);
}

}  // namespace laurel::model
