// The tensors of a model in training: float32 values and gradients of the trained ones, the base's
// own bytes of the others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "laurel/base/thread_pool.h"
#include "laurel/formats/tensor_store.h"
#include "laurel/model/arena.h"
#include "laurel/model/decoder_gradients.h"
#include "laurel/model/trainable_model.h"

namespace laurel::model {

// Throws UserError for options that do not fit the model, and for a model that cannot be trained.
void check_options(const ModelConfig& config, const TrainableOptions& options);

// Throws UserError if the model's tensors are stored in a form that cannot be trained: in blocks.
void check_stored(const ModelConfig& config, const formats::TensorStore& base);

// Whether the checkpoint's tensor itself is trained.
bool is_trained(const ExpectedTensor& tensor, const TrainableOptions& options);

// The tensors that these options train, with LoRA's own, in the order of
// TrainableModel::parameters().
std::vector<ExpectedTensor> trained_tensors(const ModelConfig& config,
                                            const TrainableOptions& options);

class TrainableWeights {
 public:
  // As TrainableModel's. Options are checked.
  TrainableWeights(const ModelConfig& config, formats::TensorStore base,
                   const TrainableOptions& options, ThreadPool& pool);

  const DecoderWeights& decoder() const { return decoder_; }
  const DecoderGradients& gradients() const { return gradients_; }
  std::span<Parameter> parameters() { return parameters_; }
  std::span<const Parameter> parameters() const { return parameters_; }
  void clear_gradients(ThreadPool& pool);
  // The stored value of a checkpoint tensor. Throws InternalError for an unknown name.
  const kernels::Weight& stored(const std::string& name) const;

 private:
  void lay_out_parameters(const std::vector<ExpectedTensor>& trained);
  void load(const ExpectedTensor& expected, ThreadPool& pool);
  void load_head(const ExpectedTensor& expected, ThreadPool& pool);
  const formats::TensorView& base_tensor(const ExpectedTensor& expected) const;
  void start_lora();
  Parameter* find_parameter(const std::string& name);

  const ModelConfig& config_;
  const TrainableOptions& options_;
  formats::TensorStore base_;
  Arena memory_;  // of the parameters
  kernels::Matrix values_, all_gradients_;
  std::vector<Parameter> parameters_;
  std::vector<std::byte> grown_embedding_;  // if frozen and larger than the base's
  std::map<std::string, kernels::Weight, std::less<>> tensors_;  // vectors have one row
  DecoderWeights decoder_;
  DecoderGradients gradients_;
};

// A stored tensor's elements as float32, to out.
void expand(const kernels::Weight& weight, float* out, ThreadPool& pool);

}  // namespace laurel::model
