// A decoder's weights in memory, mapped from a checkpoint's files.
#pragma once

#include "laurel/base/thread_pool.h"
#include "laurel/model/weight_plan.h"
#include "laurel/model/weight_source.h"

namespace laurel::model {

// Immutable after loading; thread-safe. Tensors stay memory-mapped; only those that an adapter
// changes, or that must be rounded to bfloat16, are copied.
class ResidentWeights : public MemorySource {
 public:
  // The plan must outlive it.
  ResidentWeights(const ModelConfig& config, const WeightPlan& plan, ThreadPool& pool);

 private:
  TensorCopies copies_;
  DecoderWeights decoder_;
};

}  // namespace laurel::model
