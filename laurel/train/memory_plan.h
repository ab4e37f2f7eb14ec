// Whether a run fits into memory, decided before its first step.
#pragma once

#include <cstdint>
#include <string>

#include "laurel/data/training_set.h"
#include "laurel/model/trainable_model.h"

namespace laurel::train {

struct MemoryNeed {
  std::int64_t weights = 0;  // bytes
  std::int64_t gradients = 0;
  std::int64_t moments = 0;
  std::int64_t activations = 0;  // of the largest pack, or of the largest one that is evaluated
  std::int64_t writing = 0;      // the largest tensor as float32, while the model is written
  std::int64_t total() const { return weights + gradients + moments + activations + writing; }
};

struct MemoryQuestion {
  model::ModelConfig config;
  model::TrainableOptions options;  // `recompute` is what is asked for unless choose_recompute
  DType stored = DType::kF32;
  std::int64_t largest_pack = 0;       // rows, forward and backward
  std::int64_t largest_example = 0;    // rows: what batch-tokens cannot cut
  std::int64_t largest_evaluated = 0;  // rows of a pack that is only evaluated
  bool choose_recompute = false;
  std::int64_t available = 0;  // bytes
};

// Rows of the largest pack that any order of the examples can give: the sum of the `together`
// largest examples, cut to max_tokens unless one alone is larger. Examples that share a prefix may
// need fewer.
std::int64_t largest_pack_rows(const data::TrainingSet& set, std::int64_t together,
                               std::int64_t max_tokens);

MemoryNeed memory_need(const MemoryQuestion& question, model::Recompute recompute,
                       std::int64_t rows);

// The recomputation to train with: the one asked for, or the least that fits. Throws UserError when
// none does: what is needed and for what, what is available, and which options would fit.
model::Recompute plan_memory(const MemoryQuestion& question);

std::string_view to_string(model::Recompute recompute);  // "none", "attention", "block"

}  // namespace laurel::train
