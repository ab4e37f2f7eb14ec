// LoRA matrices in PEFT's form, and merged into the weights they belong to.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "laurel/model/trainable_model.h"

namespace laurel::train {

// adapter_model.safetensors and adapter_config.json (last), as peft's PeftModel.from_pretrained
// reads them on top of AutoModelForSequenceClassification; float32. `base_name`: of the base.
// Precondition: the model has LoRA. Throws IoError.
void write_adapter(const model::TrainableModel& model, const std::string& base_name,
                   const std::filesystem::path& directory);

// The checkpoint tensor's value as the forward pass uses it: W + alpha / rank · B·A where there is
// an adapter, the trained or frozen tensor elsewhere.
std::vector<float> merged_tensor(const model::TrainableModel& model, const std::string& name);

}  // namespace laurel::train
