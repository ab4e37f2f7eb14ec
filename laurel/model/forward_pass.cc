#include "laurel/model/forward_pass.h"

#include <algorithm>

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

// How many rows go through the MLP at once. What is between its matrices is then still in the cache
// of the thread that goes on with it, if so few rows are worth a product; row results are the same.
std::int64_t ForwardPass::rows_of_mlp(std::int64_t num_rows) const {
  constexpr std::int64_t kBytesPerThread = 3 << 20;
  constexpr std::int64_t kMinRows = 256;
  constexpr std::int64_t kWholeTiles = 168;           // of 6, 12 or 14 rows
  if (context_.observer != nullptr) return num_rows;  // it is to see all of them
  const std::int64_t row_bytes = 2 * context_.config.intermediate_size * sizeof(float);
  const std::int64_t rows = context_.pool.num_threads() * kBytesPerThread / row_bytes;
  if (rows < kMinRows || rows >= num_rows) return num_rows;
  return rows / kWholeTiles * kWholeTiles;
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
  const std::int64_t mlp_rows = rows_of_mlp(queries.count());
  values.gate = arena.matrix(mlp_rows, config.intermediate_size);
  values.up = arena.matrix(mlp_rows, config.intermediate_size);
  return values;
}

}  // namespace laurel::model
