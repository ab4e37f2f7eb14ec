#include "laurel/model/reward_model.h"

#include <algorithm>
#include <cmath>

#include "laurel/base/error.h"
#include "laurel/formats/tensor_store.h"
#include "laurel/kernels/ops.h"
#include "laurel/model/adapter.h"
#include "laurel/model/rope.h"

namespace laurel::model {
namespace {

namespace fs = std::filesystem;
using kernels::Accumulate;
using kernels::Matrix;

// A row-major matrix that owns its memory.
class Buffer {
 public:
  Buffer(std::int64_t rows, std::int64_t cols)
      : data_(std::make_unique_for_overwrite<float[]>(static_cast<std::size_t>(rows * cols))),
        rows_(rows),
        cols_(cols) {}

  Matrix matrix() { return {data_.get(), rows_, cols_, cols_}; }
  operator Matrix() { return matrix(); }

 private:
  std::unique_ptr<float[]> data_;
  std::int64_t rows_;
  std::int64_t cols_;
};

std::vector<fs::path> model_files(const fs::path& directory, const formats::TensorStore& store,
                                  const fs::path& adapter) {
  std::vector<fs::path> files = store.files();
  files.push_back(directory / "config.json");
  if (!adapter.empty()) {
    files.push_back(adapter / "adapter_config.json");
    const fs::path tensors = adapter / "adapter_model.safetensors";
    files.push_back(fs::exists(tensors) ? tensors : adapter / "adapter_model.bin");
  }
  std::sort(files.begin(), files.end());
  return files;
}

// Rows of the pack that some score point reads, ascending, and the query runs that compute just
// these.
struct ScoredRows {
  std::vector<std::int32_t> rows;
  std::vector<std::int32_t> positions;
  std::vector<kernels::QueryRun> runs;
  std::vector<std::int64_t> index_of_point;  // [score points] index into rows
};

ScoredRows find_scored_rows(const packing::Pack& pack) {
  ScoredRows scored;
  for (const packing::ScorePoint& point : pack.score_points) {  // in row order
    const packing::Segment& segment = pack.segments[static_cast<std::size_t>(point.segment)];
    const auto row = static_cast<std::int32_t>(segment.row_offset + point.index_in_segment);
    if (scored.rows.empty() || scored.rows.back() != row) {
      scored.runs.push_back({point.segment, point.index_in_segment, 1,
                             static_cast<std::int64_t>(scored.rows.size())});
      scored.rows.push_back(row);
      scored.positions.push_back(pack.positions[static_cast<std::size_t>(row)]);
    }
    scored.index_of_point.push_back(static_cast<std::int64_t>(scored.rows.size()) - 1);
  }
  return scored;
}

// The forward pass over one pack. Reads top to bottom like the model's definition.
class ForwardPass {
 public:
  ForwardPass(const ModelConfig& config, const Weights& weights, Precision precision,
              const packing::Pack& pack, ThreadPool& pool)
      : config_(config),
        weights_(weights),
        precision_(precision),
        pack_(pack),
        pool_(pool),
        num_rows_(static_cast<std::int64_t>(pack.tokens.size())),
        scored_(find_scored_rows(pack)),
        angles_(rotary_angles(config.rope,
                              1 + *std::max_element(pack.positions.begin(), pack.positions.end()))),
        x_(num_rows_, config.hidden_size),
        normed_(num_rows_, config.hidden_size),
        q_(num_rows_, config.num_heads * config.head_dim),
        k_(num_rows_, config.num_kv_heads * config.head_dim),
        v_(num_rows_, config.num_kv_heads * config.head_dim),
        attended_(num_rows_, config.num_heads * config.head_dim),
        gate_(num_rows_, config.intermediate_size),
        up_(num_rows_, config.intermediate_size) {
    for (std::size_t i = 0; i < pack.segments.size(); ++i) {
      const packing::Segment& segment = pack.segments[i];
      segments_.push_back({segment.row_offset, segment.num_rows, segment.start, segment.parent});
      all_runs_.push_back({static_cast<std::int32_t>(i), 0, segment.num_rows, segment.row_offset});
    }
  }

  std::vector<float> run() {
    kernels::embedding(pack_.tokens, weights_.embedding(), x_, pool_);
    round(x_);
    for (std::int64_t layer = 0; layer + 1 < config_.num_layers; ++layer) full_layer(layer);
    return score(last_layer(config_.num_layers - 1));
  }

 private:
  void full_layer(std::int64_t index) {
    const LayerWeights& layer = weights_.layer(index);
    norm(x_, layer.input_norm, normed_);
    project_keys_and_values(layer);
    linear(normed_, layer.q, q_);
    rotate(q_, config_.num_heads, pack_.positions);
    attend(index, q_, all_runs_, attended_);
    add_linear(attended_, layer.o, x_);
    mlp(layer, x_, normed_, gate_, up_);
  }

  // Only the score points of the last layer are ever read, so all but its keys and values is
  // computed for them alone. Returns their residual stream, [scored rows, hidden_size].
  Buffer last_layer(std::int64_t index) {
    const LayerWeights& layer = weights_.layer(index);
    const auto count = static_cast<std::int64_t>(scored_.rows.size());
    norm(x_, layer.input_norm, normed_);
    project_keys_and_values(layer);

    Buffer x(count, config_.hidden_size);
    Buffer normed(count, config_.hidden_size);
    kernels::gather_rows(x_.matrix(), scored_.rows, x, pool_);
    kernels::gather_rows(normed_.matrix(), scored_.rows, normed, pool_);
    const Matrix q = first_rows(q_, count);
    const Matrix attended = first_rows(attended_, count);
    linear(normed, layer.q, q);
    rotate(q, config_.num_heads, scored_.positions);
    attend(index, q, scored_.runs, attended);
    add_linear(attended, layer.o, x);
    mlp(layer, x, normed, first_rows(gate_, count), first_rows(up_, count));
    return x;
  }

  std::vector<float> score(Buffer x) {
    norm(x, weights_.final_norm(), x);
    std::vector<float> rewards(scored_.rows.size());
    linear(x, weights_.score(), {rewards.data(), static_cast<std::int64_t>(rewards.size()), 1, 1});
    std::vector<float> result;
    for (const std::int64_t index : scored_.index_of_point) {
      result.push_back(rewards[static_cast<std::size_t>(index)]);
    }
    return result;
  }

  void project_keys_and_values(const LayerWeights& layer) {
    linear(normed_, layer.k, k_);
    rotate(k_, config_.num_kv_heads, pack_.positions);
    linear(normed_, layer.v, v_);
  }

  void attend(std::int64_t layer, Matrix q, std::span<const kernels::QueryRun> runs, Matrix out) {
    kernels::AttentionShape shape;
    shape.num_heads = config_.num_heads;
    shape.num_kv_heads = config_.num_kv_heads;
    shape.head_dim = config_.head_dim;
    shape.scale = 1.0f / std::sqrt(static_cast<float>(config_.head_dim));
    shape.window = config_.windows[static_cast<std::size_t>(layer)];
    kernels::forest_attention(q, k_.matrix(), v_.matrix(), segments_, runs, shape, out, pool_);
    round(out);
  }

  // x += down(silu(gate(norm(x))) · up(norm(x)))
  void mlp(const LayerWeights& layer, Matrix x, Matrix normed, Matrix gate, Matrix up) {
    norm(x, layer.post_attention_norm, normed);
    linear(normed, layer.gate, gate);
    linear(normed, layer.up, up);
    kernels::silu_mul(gate, up, pool_);
    round(gate);
    add_linear(gate, layer.down, x);
  }

  void norm(Matrix x, const kernels::VectorParameter& weight, Matrix y) {
    kernels::rms_norm(x, weight, static_cast<float>(config_.rms_norm_eps), y, pool_);
    round(y);
  }

  void linear(Matrix x, const Linear& parameters, Matrix y) {
    kernels::linear(x, parameters.weight, parameters.bias, y, Accumulate::kNo, pool_);
    round(y);
  }

  void add_linear(Matrix x, const Linear& parameters, Matrix residual) {
    kernels::linear(x, parameters.weight, parameters.bias, residual, Accumulate::kYes, pool_);
    round(residual);
  }

  void rotate(Matrix x, std::int64_t num_heads, std::span<const std::int32_t> positions) {
    const kernels::RotaryTable table{angles_.cosines, angles_.sines, config_.rope.rotary_dim / 2};
    kernels::rotary(x, num_heads, config_.head_dim, positions, table, pool_);
    round(x);
  }

  void round(Matrix x) {
    if (precision_ == Precision::kBF16) kernels::round_to_bf16(x, pool_);
  }

  static Matrix first_rows(Buffer& buffer, std::int64_t count) {
    Matrix matrix = buffer;
    matrix.rows = count;
    return matrix;
  }

  const ModelConfig& config_;
  const Weights& weights_;
  const Precision precision_;
  const packing::Pack& pack_;
  ThreadPool& pool_;
  const std::int64_t num_rows_;
  const ScoredRows scored_;
  const RotaryAngles angles_;
  std::vector<kernels::AttentionSegment> segments_;
  std::vector<kernels::QueryRun> all_runs_;
  Buffer x_, normed_, q_, k_, v_, attended_, gate_, up_;
};

Weights load_weights(const LoadOptions& options, const ModelConfig& config,
                     std::vector<fs::path>& files, ThreadPool& pool) {
  formats::TensorStore store = formats::TensorStore::open(options.directory);
  files = model_files(options.directory, store, options.adapter);
  if (options.adapter.empty()) {
    return Weights(config, std::move(store), nullptr, options.precision, options.directory.string(),
                   pool);
  }
  const Adapter adapter = read_adapter(options.adapter);
  return Weights(config, std::move(store), &adapter, options.precision, options.directory.string(),
                 pool);
}

}  // namespace

struct RewardModel::Impl {
  ModelConfig config;
  Precision precision;
  std::vector<fs::path> files;
  Weights weights;

  Impl(const LoadOptions& options, ThreadPool& pool)
      : config(read_config(options.directory)),
        precision(options.precision),
        weights(load_weights(options, config, files, pool)) {}
  Impl(ModelConfig shape, Weights parameters, Precision type)
      : config(std::move(shape)), precision(type), weights(std::move(parameters)) {}
};

RewardModel::RewardModel(const LoadOptions& options, ThreadPool& pool)
    : impl_(std::make_unique<Impl>(options, pool)) {}
RewardModel::RewardModel(ModelConfig config, Weights weights, Precision precision)
    : impl_(std::make_unique<Impl>(std::move(config), std::move(weights), precision)) {}
RewardModel::~RewardModel() = default;
RewardModel::RewardModel(RewardModel&&) noexcept = default;

const ModelConfig& RewardModel::config() const { return impl_->config; }
const Weights& RewardModel::weights() const { return impl_->weights; }
const std::vector<fs::path>& RewardModel::files() const { return impl_->files; }

std::vector<float> RewardModel::forward(const packing::Pack& pack, ThreadPool& pool) const {
  for (const std::int32_t token : pack.tokens) {
    if (token < 0 || token >= impl_->config.vocab_size) {
      throw InternalError("forward: token id {} outside the vocabulary of {}", token,
                          impl_->config.vocab_size);
    }
  }
  return ForwardPass(impl_->config, impl_->weights, impl_->precision, pack, pool).run();
}

std::int64_t RewardModel::activation_bytes(std::int64_t num_rows) const {
  const ModelConfig& config = impl_->config;
  const std::int64_t query = config.num_heads * config.head_dim;
  const std::int64_t kv = config.num_kv_heads * config.head_dim;
  const std::int64_t per_row =
      2 * config.hidden_size + 2 * query + 2 * kv + 2 * config.intermediate_size;
  return num_rows * per_row * static_cast<std::int64_t>(sizeof(float));
}

}  // namespace laurel::model
