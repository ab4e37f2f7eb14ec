#include "laurel/model/resident_weights.h"

#include <map>
#include <string>

namespace laurel::model {

ResidentWeights::ResidentWeights(const ModelConfig& config, const WeightPlan& plan,
                                 ThreadPool& pool)
    : MemorySource(decoder_) {
  std::map<std::string, kernels::Weight, std::less<>> tensors;
  for (const PlannedTensor& tensor : plan.tensors()) {
    tensors[tensor.expected.name] = plan.prepare(tensor, tensor.stored->data.data(), copies_, pool);
  }
  decoder_ = assign_roles(config, [&](const std::string& name) {
    const auto found = tensors.find(name);
    return found != tensors.end() ? found->second : kernels::Weight{};
  });
}

}  // namespace laurel::model
