// Linear layers with weights of int8: the products of kernels/int8.h.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "laurel/base/thread_pool.h"
#include "laurel/model/config.h"
#include "laurel/model/decoder_weights.h"

namespace laurel::model {

// How one linear layer becomes int8.
struct Int8Choice {
  bool stays_float = false;  // it does not
  bool has_rest = true;      // for fine rows (pack_layout.h), weights are of sixteen bits
  std::shared_ptr<const kernels::Int8Calibration> calibration = {};  // null for none
  // Of its outputs on the calibration text, were it int8: root of the mean, over tokens, of
  // |error|² / |output|².
  double relative_error = 0;
};

// By the layer's name, as in for_each_role(). Layers that it does not name are int8 without
// calibration.
using Int8Plan = std::map<std::string, Int8Choice, std::less<>>;

// Memory of a weight's int8 form. No rest, or of the rest itself: center and offsets are empty.
struct Int8Tensors {
  std::vector<std::int8_t> packed;
  std::vector<float> scales;
  std::vector<std::int32_t> sums;
  std::vector<float> center;
  std::vector<float> offsets;
};
struct Int8Copy {
  Int8Tensors weight;
  Int8Tensors rest;
};
// Of weights that were quantized at load.
using Int8Copies = std::deque<Int8Copy>;

// Throws UserError if a linear layer of this shape has more inputs than an int8 sum may have
// (kernels::kMaxInt8Inputs).
void check_int8_inputs(const ModelConfig& config);

// Replaces the weight by its int8 form in `copies`, which must outlive it.
void quantize_linear(Linear& linear, const Int8Choice& choice, Int8Copies& copies,
                     ThreadPool& pool);

// The choice for a linear layer of this name.
const Int8Choice& choice_for(const Int8Plan& plan, const std::string& name);

// Every linear layer of the layer, as the plan says.
void quantize_layer(LayerWeights& layer, const Int8Plan& plan, Int8Copies& copies,
                    ThreadPool& pool);

}  // namespace laurel::model
