// A decoder with a score head that can be trained: float32 master weights (or LoRA matrices), the
// forward pass that keeps what backward needs, and the backward pass, written out by hand.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "laurel/base/thread_pool.h"
#include "laurel/formats/tensor_store.h"
#include "laurel/kernels/ops.h"
#include "laurel/model/config.h"
#include "laurel/packing/forest.h"

namespace laurel::model {

// What the forward pass does not keep and the backward pass computes again.
enum class Recompute { kNone, kAttention, kBlock };

// Low-rank adapters: y = x·Wᵀ + alpha / rank · (x·Aᵀ)·Bᵀ (Hu et al., arXiv 2106.09685). A starts
// with the uniform distribution that peft uses (kaiming_uniform with a = sqrt(5)), B with 0.
struct LoraOptions {
  std::int64_t rank = 8;
  double alpha = 16;
  // Of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj.
  std::vector<std::string> targets = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                      "gate_proj", "up_proj", "down_proj"};
};

struct TrainableOptions {
  // Embedding and the first layers that stay as they are. With LoRA these layers get no adapter.
  std::int64_t freeze_layers = 0;
  std::optional<LoraOptions> lora;  // then only the adapters and the score head are trained
  Recompute recompute = Recompute::kNone;
  // New score head of N(0, 1 / (hidden_size + 1)) (open-instruct's); a base without one always gets
  // it.
  bool reset_head = false;
  std::uint64_t seed = 1;  // of the new head and of LoRA's A
};

// A tensor that is trained. Values and gradients live in the model; both are contiguous, row-major.
struct Parameter {
  std::string name;  // as in the checkpoint; LoRA: as peft writes it, without "base_model.model."
  std::vector<std::int64_t> shape;
  std::span<float> value;
  std::span<float> gradient;
};

// What training holds, but for the optimizer's moments and the ops' own tiles.
struct TrainingMemory {
  std::int64_t weight_bytes = 0;  // frozen weights as stored, and trained ones
  std::int64_t gradient_bytes = 0;
  std::int64_t bytes_per_row = 0;            // activations kept for backward, at most
  std::int64_t temporary_bytes_per_row = 0;  // the largest working set besides
};

// One forward and backward at a time; not thread-safe. Working memory grows to the largest pack and
// stays.
class TrainableModel {
 public:
  // `base`: the tensors of a checkpoint of this shape, with or without score.weight (lm_head is
  // ignored). config.vocab_size may exceed the embedding's rows: the new ones are the mean of the
  // old. Throws UserError as Weights does; for num_labels other than 1; for a number of layers,
  // target or rank that does not exist. Gradients start at 0.
  TrainableModel(ModelConfig config, formats::TensorStore base, const TrainableOptions& options,
                 ThreadPool& pool);
  ~TrainableModel();
  TrainableModel(TrainableModel&&) noexcept;

  const ModelConfig& config() const;
  const TrainableOptions& options() const;
  // In checkpoint order (expected_tensors), the score head last.
  std::span<Parameter> parameters();
  std::span<const Parameter> parameters() const;
  void clear_gradients(ThreadPool& pool);

  // Rewards in the order of pack.score_points, with the bits of RewardModel::forward (without
  // LoRA). Keeps what backward() needs; the pack must live until then. Throws InternalError for a
  // token outside the vocabulary or frozen states of another shape.
  // `frozen_states`: rows of frozen_states() for this pack, or empty to compute them.
  std::vector<float> forward(const packing::Pack& pack, kernels::ConstMatrix frozen_states,
                             ThreadPool& pool);
  // Adds the gradients of Σ d_rewards[i] · reward[i] of the last forward() to the parameters'. Once
  // for each forward(), whose values it uses up; throws InternalError otherwise.
  void backward(std::span<const float> d_rewards, ThreadPool& pool);

  // Rewards only; keeps nothing, and may come between forward() and backward().
  std::vector<float> evaluate(const packing::Pack& pack, ThreadPool& pool) const;

  // The residual stream after the frozen layers, [rows of the pack, hidden_size] row-major: a row
  // depends on its path's tokens only. Throws InternalError if freeze_layers is 0.
  std::vector<float> frozen_states(const packing::Pack& pack, ThreadPool& pool) const;

  // Of these options and shape, without building the model.
  static TrainingMemory memory(const ModelConfig& config, const TrainableOptions& options,
                               DType stored);

  // The value of a checkpoint tensor as float32 now (trained or frozen; without LoRA), for export.
  // Throws InternalError for an unknown name.
  std::vector<float> tensor(const std::string& name) const;
  // The element type that a frozen tensor is stored as; kF32 for a trained one.
  DType tensor_dtype(const std::string& name) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace laurel::model
