// Training steps to be timed: all weights of a model on preference pairs, with nothing written.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include "laurel/base/json.h"
#include "laurel/base/thread_pool.h"
#include "laurel/data/training_set.h"
#include "laurel/model/trainable_model.h"
#include "laurel/train/objective.h"

namespace laurel::profile {

// The pairs that training's filters keep, of rows that may have any form of preference data.
data::TrainingSet preference_set(std::span<const Json> rows,
                                 const std::filesystem::path& directory);

// Rows of a pack in training, at most.
constexpr std::int64_t kTrainingPackTokens = 4096;

class TrainingLoad {
 public:
  // Throws UserError if the model cannot be trained, or not in the memory available (what is
  // needed, and what there is).
  TrainingLoad(const std::filesystem::path& directory, data::TrainingSet set, ThreadPool& pool);
  ~TrainingLoad();

  model::Recompute recompute() const;
  // One step over the whole set: gradients, their norm, AdamW. Tokens are in the result.
  train::ObjectiveSums step();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace laurel::profile
