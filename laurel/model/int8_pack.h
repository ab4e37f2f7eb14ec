// Int8 packs: checkpoints whose linear layers are stored as kernels/int8.h multiplies them, so that
// loading maps them. config.json says so (config.h):
//   "quantization_config": {"quant_method": "laurel-int8", "version": 4}
// A linear layer X of a decoder layer has, instead of X.weight [out, in],
//   X.int8_weight   I8  [ceil(out / 16), ceil(in / 4), 16, 4]
//   X.int8_scale    F32 [out]
//   X.int8_sum      I32 [out]
//   X.int8_center   F32 [in]
//   X.int8_offset   F32 [out]
// and, if the weights of fine rows (pack_layout.h) are of sixteen bits,
//   X.int8_rest_weight, X.int8_rest_scale, X.int8_rest_sum
// or X.weight as ever if it stays in float. Only Laurel reads this.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "laurel/base/thread_pool.h"
#include "laurel/formats/tensor_store.h"
#include "laurel/model/config.h"
#include "laurel/model/decoder_weights.h"
#include "laurel/model/int8_weights.h"
#include "laurel/model/weight_plan.h"

namespace laurel::model {

// expected_tensors() with the forms that the store has of each linear layer.
std::vector<ExpectedTensor> expected_pack_tensors(const ModelConfig& config,
                                                  const formats::TensorStore& store);

// Fills in the int8 part of a layer's linear layers from the pack's tensors.
void assign_int8(const FindWeight& find, LayerWeights& layer);

struct Int8PackSize {
  std::uint64_t num_bytes = 0;  // of tensor data
  std::int64_t num_shards = 0;
};

// Writes the tensors of a pack of these weights: model.safetensors, or shards with their index. One
// weight at a time is quantized and in memory. Throws UserError, IoError.
Int8PackSize write_int8_pack(const std::filesystem::path& directory, const WeightPlan& weights,
                             const Int8Plan& plan, std::uint64_t max_shard_bytes, ThreadPool& pool);

}  // namespace laurel::model
