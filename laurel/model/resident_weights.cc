#include "laurel/model/resident_weights.h"

namespace laurel::model {

ResidentWeights::ResidentWeights(const ModelConfig& config, const WeightPlan& plan,
                                 ThreadPool& pool)
    : MemorySource(decoder_) {
  const auto bytes = [](const PlannedTensor& tensor) { return tensor.stored->data.data(); };
  decoder_ = plan.outside_layers(bytes, copies_, pool);
  for (std::int64_t i = 0; i < config.num_layers; ++i) {
    decoder_.layers.push_back(plan.layer(i, bytes, copies_, pool));
  }
}

}  // namespace laurel::model
