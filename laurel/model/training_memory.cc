// Memory of training, from the shape alone.
#include <algorithm>

#include "laurel/model/trainable_model.h"
#include "laurel/model/trainable_weights.h"
#include "laurel/model/training_pass.h"

namespace laurel::model {
namespace {

constexpr std::int64_t kFloatBytes = sizeof(float);

// Floats per row of a block's values.
struct BlockFloats {
  std::int64_t x, attention, mlp, product;
};

BlockFloats block_floats(const ModelConfig& config) {
  const std::int64_t query = config.num_heads * config.head_dim;
  const std::int64_t kv = config.num_kv_heads * config.head_dim;
  return {config.hidden_size, 2 * kv + 2 * query + config.num_heads,
          config.hidden_size + 2 * config.intermediate_size, config.intermediate_size};
}

// The working sets of the two directions; see training_pass.cc and block_backward.cc.
std::int64_t temporary_floats(const ModelConfig& config, const TrainableOptions& options) {
  const BlockFloats block = block_floats(config);
  const KeptValues kept = kept_values(options.recompute);
  const std::int64_t rank = options.lora ? options.lora->rank : 0;
  const std::int64_t restored = (kept.attention ? 0 : block.attention) + (kept.mlp ? 0 : block.mlp);
  const std::int64_t inference = 2 * block.x + block.attention + block.mlp;
  const std::int64_t forward = restored + std::max(block.product, block.x);
  const std::int64_t mlp_backward = block.product + 2 * block.x;
  const std::int64_t attention_backward = block.attention + 2 * block.x;
  const std::int64_t backward = block.x + restored + std::max(mlp_backward, attention_backward);
  return std::max({inference, forward, backward}) + rank;
}

}  // namespace

TrainingMemory TrainableModel::memory(const ModelConfig& config, const TrainableOptions& options,
                                      DType stored) {
  check_options(config, options);
  TrainingMemory memory;
  for (const ExpectedTensor& tensor : trained_tensors(config, options)) {
    memory.gradient_bytes += tensor.num_elements() * kFloatBytes;
  }
  memory.weight_bytes = memory.gradient_bytes;
  for (const ExpectedTensor& tensor : expected_tensors(config)) {
    if (!is_trained(tensor, options))
      memory.weight_bytes += tensor.num_elements() * dtype_size(stored);
  }
  const BlockFloats block = block_floats(config);
  const KeptValues kept = kept_values(options.recompute);
  const std::int64_t per_layer =
      block.x + (kept.attention ? block.attention : 0) + (kept.mlp ? block.mlp : 0);
  // The last layer keeps less, for the rows that are no score points, and the final rows are these.
  memory.bytes_per_row =
      kFloatBytes * (block.x + per_layer * (config.num_layers - options.freeze_layers));
  memory.temporary_bytes_per_row = kFloatBytes * temporary_floats(config, options);
  return memory;
}

}  // namespace laurel::model
