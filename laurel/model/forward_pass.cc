#include "laurel/model/forward_pass.h"

namespace laurel::model {

using kernels::Matrix;

std::vector<float> ForwardPass::run() const {
  const ModelConfig& config = context_.config;
  const ArenaScope scope(context_.scratch);
  const Matrix x = context_.scratch.matrix(context_.layout.num_rows, config.hidden_size);
  const Matrix out = context_.scratch.matrix(context_.layout.scored.count(), config.hidden_size);
  embed(x);
  run_layers(x, 0, config.num_layers - 1);
  run_last_layer(x, out);
  return score(out);
}

void ForwardPass::embed(Matrix x) const {
  weights_.embed(context_.layout.pack.tokens, x, context_.pool);
  round_values(context_, x);
}

void ForwardPass::run_layers(Matrix x, std::int64_t begin, std::int64_t end) const {
  const ArenaScope scope(context_.scratch);
  const QueryRows& queries = context_.layout.all;
  BlockValues values = scratch_values(x, queries);
  values.x_mid = x;
  for (std::int64_t i = begin; i < end; ++i) {
    BlockForward(context_, weights_.layer(i, context_.pool), i, queries)
        .run(values, values.gate, x);
  }
}

void ForwardPass::run_last_layer(Matrix x, Matrix out) const {
  const ArenaScope scope(context_.scratch);
  const QueryRows& queries = context_.layout.scored;
  BlockValues values = scratch_values(x, queries);
  values.x_mid = out;
  const std::int64_t last = context_.config.num_layers - 1;
  BlockForward(context_, weights_.layer(last, context_.pool), last, queries)
      .run(values, values.gate, out);
}

std::vector<float> ForwardPass::score(kernels::ConstMatrix x) const {
  const ArenaScope scope(context_.scratch);
  const Matrix normed = context_.scratch.matrix(x.rows, x.cols);
  const Matrix rewards = context_.scratch.matrix(x.rows, 1);
  norm(context_, x, weights_.final_norm(), normed);
  linear(context_, normed, weights_.score(), rewards);
  std::vector<float> result;
  for (const std::int64_t row : context_.layout.scored_of_point) {
    result.push_back(rewards.data[row]);
  }
  return result;
}

BlockValues ForwardPass::scratch_values(Matrix x, const QueryRows& queries) const {
  const ModelConfig& config = context_.config;
  Arena& arena = context_.scratch;
  const std::int64_t kv = config.num_kv_heads * config.head_dim;
  const std::int64_t query = config.num_heads * config.head_dim;
  BlockValues values;
  values.x = x;
  values.k = arena.matrix(x.rows, kv);
  values.v = arena.matrix(x.rows, kv);
  values.q = arena.matrix(queries.count(), query);
  values.attended = arena.matrix(queries.count(), query);
  values.gate = arena.matrix(queries.count(), config.intermediate_size);
  values.up = arena.matrix(queries.count(), config.intermediate_size);
  return values;
}

}  // namespace laurel::model
