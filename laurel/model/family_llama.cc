// Llama 2 and 3.x, SmolLM2, Tulu 3 and whatever else says LlamaForSequenceClassification.
#include "laurel/base/error.h"
#include "laurel/model/family.h"

namespace laurel::model {

void configure_llama(const ConfigReader& reader, ModelConfig& config) {
  const bool attention_bias = reader.flag_or("attention_bias", false);
  config.qkv_bias = attention_bias;
  config.output_bias = attention_bias;
  config.mlp_bias = reader.flag_or("mlp_bias", false);
  if (const auto slices = reader.size_or("pretraining_tp", 1, 1 << 20); slices != 1) {
    throw UserError(
        "{}: key \"pretraining_tp\": sliced projections are not supported, expected 1, got {}",
        reader.where(), slices);
  }
}

}  // namespace laurel::model
