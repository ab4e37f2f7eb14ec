// Which rows of the data made a step's loss or gradients NaN or infinite.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "laurel/base/thread_pool.h"
#include "laurel/data/training_set.h"
#include "laurel/model/trainable_model.h"
#include "laurel/train/loss.h"

namespace laurel::train {

// Those of the examples whose gradients, computed alone, are not finite; all of them if it takes
// several together. Overwrites the model's gradients.
std::vector<std::int64_t> find_nonfinite_gradients(model::TrainableModel& model,
                                                   const data::TrainingSet& set,
                                                   std::span<const std::int64_t> examples,
                                                   const LossOptions& loss, ThreadPool& pool);

// "pairs.jsonl:12, pairs.jsonl:40", at most a dozen.
std::string row_names(const data::TrainingSet& set, std::span<const std::int64_t> examples);

}  // namespace laurel::train
