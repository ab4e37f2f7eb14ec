// The examples of a step as packs: one per micro-batch, forward and backward each in one go.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "laurel/data/training_set.h"
#include "laurel/packing/forest.h"

namespace laurel::train {

struct MicroBatch {
  std::vector<std::int64_t> examples;  // indices in the training set
  packing::Pack pack;                  // its sequences: the completions of all examples, in order
  std::int64_t num_tokens = 0;         // of all sequences
  std::int64_t padded_tokens = 0;      // of the same sequences, padded to the longest of them
};

struct MicroBatchOptions {
  std::int64_t num_parts = 1;  // gradient-accumulation-steps: at least so many, if examples suffice
  std::int64_t max_tokens = 4096;  // rows of a pack; a part with more is halved, an example never
  // Every example's forest is planned by itself and only laid beside the others, so that its rows
  // are the same in every batch. For cached states of frozen layers.
  bool examples_alone = false;
};

// Consecutive examples in consecutive micro-batches, none empty; part sizes differ by at most one
// before halving. Depends on the arguments only.
std::vector<MicroBatch> plan_micro_batches(const data::TrainingSet& set,
                                           std::span<const std::int64_t> examples,
                                           const MicroBatchOptions& options);

// The pack of these examples; `examples_alone` as above.
MicroBatch make_micro_batch(const data::TrainingSet& set, std::span<const std::int64_t> examples,
                            bool examples_alone);

}  // namespace laurel::train
