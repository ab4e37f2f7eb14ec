// A decoder's weights by role, mapped from a checkpoint's tensors.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "laurel/formats/tensor_store.h"
#include "laurel/kernels/ops.h"
#include "laurel/model/config.h"

namespace laurel::model {

struct Adapter;  // adapter.h

// The type that activations are kept in: float32, or rounded to bfloat16 after every operation.
enum class Precision { kF32, kBF16 };

struct Linear {
  kernels::Weight weight;
  kernels::VectorParameter bias;  // data is null where there is none
};

struct LayerWeights {
  kernels::VectorParameter input_norm;
  Linear q, k, v, o;
  kernels::VectorParameter post_attention_norm;
  Linear gate, up, down;
};

// The tensors that a checkpoint of this shape holds, with their shapes. The head is "score.weight".
struct ExpectedTensor {
  std::string name;
  std::vector<std::int64_t> shape;
};
std::vector<ExpectedTensor> expected_tensors(const ModelConfig& config);

// Sum of the sizes of the expected tensors.
std::int64_t num_parameters(const ModelConfig& config);

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

  const kernels::Weight& embedding() const;
  const LayerWeights& layer(std::int64_t index) const;
  const kernels::VectorParameter& final_norm() const;
  const Linear& score() const;

  // Element type that most parameters are stored as: "BF16", …
  std::string dtype() const;
  // Bytes of the mapped tensors and of the copies.
  std::int64_t stored_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace laurel::model
