// A decoder's weights for inference, mapped from a checkpoint's tensors.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "laurel/base/thread_pool.h"
#include "laurel/formats/tensor_store.h"
#include "laurel/model/config.h"
#include "laurel/model/decoder_weights.h"
#include "laurel/model/precision.h"

namespace laurel::model {

struct Adapter;  // adapter.h

// Immutable after loading; thread-safe. Tensors stay memory-mapped; only those that an adapter
// changes, or that must be rounded to bfloat16, are copied.
class Weights {
 public:
  // Checks names and shapes against expected_tensors() and throws UserError naming the first tensor
  // that is missing, extra, of another shape or of another type than F32, BF16, F16. Ignored
  // extras: rotary_emb.inv_freq and lm_head.weight. `adapter` may be null; it is merged and not
  // kept.
  Weights(const ModelConfig& config, formats::TensorStore store, const Adapter* adapter,
          Precision precision, std::string_view where, ThreadPool& pool);
  ~Weights();
  Weights(Weights&&) noexcept;

  const DecoderWeights& decoder() const;

  // Element type that most parameters are stored as: "BF16", …
  std::string dtype() const;
  // Bytes of the mapped tensors and of the copies.
  std::int64_t stored_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace laurel::model
