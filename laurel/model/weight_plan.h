// Where each parameter of a decoder comes from, and what is done to it on the way.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "laurel/base/thread_pool.h"
#include "laurel/formats/tensor_store.h"
#include "laurel/model/adapter.h"
#include "laurel/model/config.h"
#include "laurel/model/decoder_weights.h"
#include "laurel/model/int8_weights.h"
#include "laurel/model/precision.h"

namespace laurel::model {

// One parameter. Pointers are those of the plan's stores.
struct PlannedTensor {
  ExpectedTensor expected;
  const formats::TensorView* stored = nullptr;  // the adapter's, where it brings a whole tensor
  const LoraModule* lora = nullptr;             // that adapts it, if any
};

// The tensors that computing had to make: merged with an adapter, rounded to bfloat16, or
// quantized.
struct TensorCopies {
  std::deque<std::vector<float>> merged;
  Int8Copies int8;
  std::deque<std::vector<std::uint16_t>> rounded;
};

// Where a tensor's bytes, as stored, are at the moment.
using StoredBytes = std::function<const std::byte*(const PlannedTensor&)>;

// Names, shapes and origins of a model's weights. Reads headers, no weights. Thread-safe but
// for quantize().
class WeightPlan {
 public:
  // Checks names and shapes against expected_tensors() and throws UserError naming the first tensor
  // that is missing, extra, of another shape or of a type without floats. Ignored extras:
  // rotary_emb.inv_freq and lm_head.weight. An adapter is merged into the weights, but for those in
  // blocks, which would become float32: computing keeps it beside these, unless `merge_adapter`.
  WeightPlan(const ModelConfig& config, formats::TensorStore store, std::optional<Adapter> adapter,
             Precision precision, bool merge_adapter, std::string_view where);

  // From now on, layer() quantizes linear layers so. Not for an int8 pack, which is quantized.
  // Throws UserError for layers with more inputs than int8 can have.
  void quantize(Int8Plan plan) {
    check_int8_inputs(config_);
    int8_plan_ = std::move(plan);
  }

  bool is_int8() const { return config_.int8_pack || int8_plan_; }

  std::int64_t num_layers() const { return config_.num_layers; }
  // In the order of expected_tensors().
  const std::vector<PlannedTensor>& tensors() const { return tensors_; }

  // The weights of a layer, or those outside of layers: for the kernels, made of the stored bytes
  // where `bytes` has them; tensors that it gives nullptr for are left out. Weights point into
  // these bytes, or into what is added to `copies`.
  LayerWeights layer(std::int64_t index, const StoredBytes& bytes, TensorCopies& copies,
                     ThreadPool& pool) const;
  DecoderWeights outside_layers(const StoredBytes& bytes, TensorCopies& copies,
                                ThreadPool& pool) const;

  // Element type that most parameters are stored as: "BF16", …; "int8" of an int8 pack.
  std::string dtype() const;
  // Bytes of the tensors as stored, and of the copies that all of them together need.
  std::int64_t stored_bytes() const;
  std::int64_t copied_bytes() const;
  // Both, of the largest layer.
  std::int64_t largest_layer_bytes() const;

 private:
  using Prepared = std::map<std::string, kernels::Weight, std::less<>>;

  PlannedTensor plan(const ExpectedTensor& expected) const;
  // Of the tensors of layer `index`, or outside of layers if -1.
  Prepared prepare_all(std::int64_t index, const StoredBytes& bytes, TensorCopies& copies,
                       ThreadPool& pool) const;
  kernels::Weight prepare(const PlannedTensor& tensor, const std::byte* data, TensorCopies& copies,
                          ThreadPool& pool) const;
  void refuse_extras_of_adapter() const;
  bool is_merged(const PlannedTensor& tensor) const;
  std::int64_t copied_bytes(const PlannedTensor& tensor) const;
  bool is_rounded(const PlannedTensor& tensor) const;

  ModelConfig config_;
  formats::TensorStore store_;
  std::optional<Adapter> adapter_;
  Precision precision_;
  bool merge_adapter_;
  std::optional<Int8Plan> int8_plan_;
  std::vector<PlannedTensor> tensors_;
};

}  // namespace laurel::model
