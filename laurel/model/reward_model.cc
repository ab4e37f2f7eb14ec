#include "laurel/model/reward_model.h"

#include <algorithm>

#include "laurel/formats/tensor_store.h"
#include "laurel/model/adapter.h"
#include "laurel/model/arena.h"
#include "laurel/model/forward_pass.h"
#include "laurel/model/pack_layout.h"

namespace laurel::model {
namespace {

namespace fs = std::filesystem;

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
  const PackLayout layout(impl_->config, pack);
  Arena scratch;
  const PassContext context{impl_->config, layout, impl_->precision, scratch, pool};
  return ForwardPass(context, impl_->weights.decoder()).run();
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
