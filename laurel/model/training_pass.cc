#include "laurel/model/training_pass.h"

#include <algorithm>

#include "laurel/base/error.h"
#include "laurel/kernels/backward.h"

namespace laurel::model {

using kernels::ConstMatrix;
using kernels::Matrix;

KeptValues kept_values(Recompute recompute) {
  return {recompute == Recompute::kNone, recompute != Recompute::kBlock};
}

std::vector<float> TrainingPass::forward(const DecoderWeights& weights, const packing::Pack& pack,
                                         ConstMatrix frozen_states, ThreadPool& pool) {
  const auto num_rows = static_cast<std::int64_t>(pack.tokens.size());
  if (frozen_states.data != nullptr &&
      (frozen_states.rows != num_rows || frozen_states.cols != config_.hidden_size)) {
    throw InternalError("forward: frozen states of shape [{}, {}], expected [{}, {}]",
                        frozen_states.rows, frozen_states.cols, num_rows, config_.hidden_size);
  }
  kept_.rewind({});
  blocks_.clear();
  layout_ = std::make_unique<PackLayout>(config_, pack);
  const PassContext pass = context(*layout_, pool);
  final_x_ = frozen_part(pass, weights, frozen_states);
  for (std::int64_t i = first_layer_; i < config_.num_layers; ++i) {
    const Matrix out = kept_.matrix(queries_of(i).count(), config_.hidden_size);
    blocks_.emplace_back().x = final_x_;
    train_layer(pass, weights, i, out);
    final_x_ = out;
  }
  MemorySource source(weights);
  return ForwardPass(pass, source).score(final_x_);
}

// The input of the first trained layer or, where none is, of the head.
Matrix TrainingPass::frozen_part(const PassContext& pass, const DecoderWeights& weights,
                                 ConstMatrix frozen_states) {
  MemorySource source(weights);
  const ForwardPass inference(pass, source);
  const bool none_trained = first_layer_ == config_.num_layers;
  Matrix out;
  if (none_trained) out = kept_.matrix(layout_->scored.count(), config_.hidden_size);
  const Matrix x = kept_.matrix(layout_->num_rows, config_.hidden_size);
  if (frozen_states.data != nullptr) {
    if (none_trained) {
      kernels::gather_rows(frozen_states, layout_->scored.rows, out, pass.pool);
    } else {
      copy_rows(frozen_states, x, pass.pool);
    }
  } else {
    inference.embed(x);
    inference.run_layers(x, 0, none_trained ? first_layer_ - 1 : first_layer_);
    if (none_trained) inference.run_last_layer(x, out);
  }
  return none_trained ? out : x;
}

void TrainingPass::train_layer(const PassContext& pass, const DecoderWeights& weights,
                               std::int64_t index, Matrix out) {
  const ArenaScope scope(scratch_);
  BlockValues& values = blocks_.back();
  allocate(index, true, values);
  allocate(index, false, values);
  const Matrix product = scratch_.matrix(values.gate.rows, values.gate.cols);
  BlockForward(pass, weights.layers[static_cast<std::size_t>(index)], index, queries_of(index))
      .run(values, product, out);
}

// The values that are kept, or those that are not.
void TrainingPass::allocate(std::int64_t layer, bool kept, BlockValues& values) {
  Arena& arena = kept ? kept_ : scratch_;
  const std::int64_t rows = layout_->num_rows, query_rows = queries_of(layer).count();
  if (kept_values_.attention == kept) {
    values.k = arena.matrix(rows, config_.num_kv_heads * config_.head_dim);
    values.v = arena.matrix(rows, config_.num_kv_heads * config_.head_dim);
    values.q = arena.matrix(query_rows, config_.num_heads * config_.head_dim);
    values.attended = arena.matrix(query_rows, config_.num_heads * config_.head_dim);
    values.log_sum_exp = arena.matrix(query_rows, config_.num_heads);
  }
  if (kept_values_.mlp == kept) {
    values.x_mid = arena.matrix(query_rows, config_.hidden_size);
    values.gate = arena.matrix(query_rows, config_.intermediate_size);
    values.up = arena.matrix(query_rows, config_.intermediate_size);
  }
}

void TrainingPass::restore(const BlockForward& block, const BlockValues& values) const {
  if (!kept_values_.attention) {
    block.project(values);
    block.attend(values);
  }
  if (!kept_values_.mlp) {
    block.add_attention(values);
    block.open_mlp(values);
  }
}

void TrainingPass::backward(const DecoderWeights& weights, const DecoderGradients& gradients,
                            std::span<const float> d_rewards, ThreadPool& pool) {
  if (layout_ == nullptr) throw InternalError("backward: no forward pass before it");
  if (d_rewards.size() != layout_->scored_of_point.size()) {
    throw InternalError("backward: expected {} gradients of rewards, got {}",
                        layout_->scored_of_point.size(), d_rewards.size());
  }
  const PassContext pass = context(*layout_, pool);
  const ArenaScope scope(scratch_);
  Matrix dx = scratch_.matrix(layout_->scored.count(), config_.hidden_size);
  head_backward(pass, weights, gradients, d_rewards, dx);
  if (first_layer_ < config_.num_layers) {
    const Matrix full_dx = scratch_.matrix(layout_->num_rows, config_.hidden_size);
    for (std::int64_t i = config_.num_layers - 1; i >= first_layer_; --i) {
      const ArenaScope layer_scope(scratch_);
      const auto at = static_cast<std::size_t>(i);
      BlockValues& values = blocks_[static_cast<std::size_t>(i - first_layer_)];
      allocate(i, false, values);
      restore(BlockForward(pass, weights.layers[at], i, queries_of(i)), values);
      const bool input_needed = i > first_layer_ || gradients.embedding.data != nullptr;
      BlockBackward(pass, weights.layers[at], gradients.layers[at], i, queries_of(i))
          .run(values, dx, input_needed ? full_dx : Matrix{});
      dx = full_dx;
    }
    if (gradients.embedding.data != nullptr) {
      kernels::embedding_backward(layout_->pack.tokens, dx, gradients.embedding, pool);
    }
  }
  layout_.reset();
}

// dx: of the scored rows' residual stream.
void TrainingPass::head_backward(const PassContext& pass, const DecoderWeights& weights,
                                 const DecoderGradients& gradients,
                                 std::span<const float> d_rewards, Matrix dx) {
  const ArenaScope scope(scratch_);
  const Matrix d_scores = scratch_.matrix(dx.rows, 1);
  std::fill_n(d_scores.data, d_scores.rows, 0.0f);
  for (std::size_t i = 0; i < d_rewards.size(); ++i) {
    d_scores.data[layout_->scored_of_point[i]] += d_rewards[i];
  }
  const Matrix normed = scratch_.matrix(dx.rows, dx.cols);
  norm(pass, final_x_, weights.final_norm, normed);
  linear_backward(pass, normed, weights.score, gradients.score, d_scores, dx);
  norm_backward(pass, final_x_, weights.final_norm, gradients.final_norm, dx, dx,
                kernels::Accumulate::kNo);
}

std::vector<float> TrainingPass::evaluate(const DecoderWeights& weights, const packing::Pack& pack,
                                          ThreadPool& pool) {
  const PackLayout layout(config_, pack);
  const PassContext pass = context(layout, pool);
  MemorySource source(weights);
  return ForwardPass(pass, source).run();
}

std::vector<float> TrainingPass::frozen_states(const DecoderWeights& weights,
                                               const packing::Pack& pack, ThreadPool& pool) {
  const PackLayout layout(config_, pack);
  const PassContext pass = context(layout, pool);
  std::vector<float> states(static_cast<std::size_t>(layout.num_rows * config_.hidden_size));
  const Matrix x{states.data(), layout.num_rows, config_.hidden_size, config_.hidden_size};
  MemorySource source(weights);
  const ForwardPass inference(pass, source);
  inference.embed(x);
  inference.run_layers(x, 0, first_layer_);
  return states;
}

}  // namespace laurel::model
