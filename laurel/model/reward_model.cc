#include "laurel/model/reward_model.h"

#include <algorithm>
#include <utility>

#include "laurel/base/error.h"
#include "laurel/base/file_hash.h"
#include "laurel/base/memory.h"
#include "laurel/base/progress.h"
#include "laurel/formats/tensor_store.h"
#include "laurel/model/adapter.h"
#include "laurel/model/fingerprint.h"
#include "laurel/model/group_pass.h"
#include "laurel/model/resident_weights.h"
#include "laurel/model/streamed_weights.h"

namespace laurel::model {
namespace {

namespace fs = std::filesystem;

// The residual streams of a pass over streamed weights may take this much memory, and this share of
// what is available.
constexpr std::int64_t kMaxStreamBytes = std::int64_t{1} << 30;
constexpr std::int64_t kMaxStreamShare = 8;

// Files that determine the rewards.
struct ModelFiles {
  std::vector<fs::path> weights;
  std::vector<fs::path> others;  // config and adapter

  ModelFiles() = default;
  ModelFiles(const LoadOptions& options, const formats::TensorStore& store)
      : weights(store.files()), others({options.directory / "config.json"}) {
    if (options.adapter.empty()) return;
    others.push_back(options.adapter / "adapter_config.json");
    const fs::path tensors = options.adapter / "adapter_model.safetensors";
    others.push_back(fs::exists(tensors) ? tensors : options.adapter / "adapter_model.bin");
  }

  std::vector<fs::path> all() const {
    std::vector<fs::path> files = weights;
    files.insert(files.end(), others.begin(), others.end());
    std::sort(files.begin(), files.end());
    return files;
  }
};

WeightPlan plan_weights(const LoadOptions& options, const ModelConfig& config, ModelFiles& files) {
  formats::TensorStore store = formats::TensorStore::open(options.directory);
  files = ModelFiles(options, store);
  std::optional<Adapter> adapter;
  if (!options.adapter.empty()) adapter = read_adapter(options.adapter);
  return WeightPlan(config, std::move(store), std::move(adapter), options.precision,
                    options.merge_adapter, options.directory.string());
}

std::int64_t activation_bytes_of(const ModelConfig& config, std::int64_t num_rows) {
  const std::int64_t query = config.num_heads * config.head_dim;
  const std::int64_t kv = config.num_kv_heads * config.head_dim;
  const std::int64_t per_row =
      2 * config.hidden_size + 2 * query + 2 * kv + 2 * config.intermediate_size;
  return num_rows * per_row * static_cast<std::int64_t>(sizeof(float));
}

WeightPlacement place(const LoadOptions& options, const ModelConfig& config,
                      const WeightPlan& plan) {
  WeightPlacement placement;
  placement.weight_bytes = plan.stored_bytes() + plan.copied_bytes();
  placement.available_bytes = options.available_bytes;
  if (!placement.available_bytes) placement.available_bytes = available_memory();
  const std::int64_t needed =
      placement.weight_bytes + activation_bytes_of(config, options.pack_rows);
  placement.streamed = options.streaming == Streaming::kAlways ||
                       (options.streaming == Streaming::kIfNeeded &&
                        needed > placement.available_bytes.value_or(needed));
  const std::int64_t two_layers = 2 * plan.largest_layer_bytes();
  if (placement.streamed && options.streaming == Streaming::kIfNeeded &&
      placement.available_bytes && two_layers > *placement.available_bytes) {
    throw UserError(
        "{}: does not fit into memory even layer by layer: two layers are {}, {} are available; "
        "--stream-weights tries all the same",
        options.directory.string(), format_bytes(static_cast<std::uint64_t>(two_layers)),
        format_bytes(static_cast<std::uint64_t>(*placement.available_bytes)));
  }
  return placement;
}

}  // namespace

struct RewardModel::Impl {
  ModelConfig config;
  Precision precision;
  ModelFiles files;
  WeightPlan plan;
  WeightPlacement placement;
  std::unique_ptr<WeightSource> source;
  const StreamedWeights* streamed = nullptr;  // the source, if it is one

  Impl(const LoadOptions& options, ThreadPool& pool)
      : config(read_config(options.directory)),
        precision(options.precision),
        plan(plan_weights(options, config, files)),
        placement(place(options, config, plan)) {
    load(pool);
  }

  void load(ThreadPool& pool) {
    source.reset();
    if (placement.streamed) {
      auto weights = std::make_unique<StreamedWeights>(config, plan, pool);
      streamed = weights.get();
      source = std::move(weights);
    } else {
      source = std::make_unique<ResidentWeights>(config, plan, pool);
    }
  }

  std::int64_t max_stream_bytes() const {
    const std::int64_t available = placement.available_bytes.value_or(kMaxStreamBytes);
    return std::min(kMaxStreamBytes, available / kMaxStreamShare);
  }
};

RewardModel::RewardModel(const LoadOptions& options, ThreadPool& pool)
    : impl_(std::make_unique<Impl>(options, pool)) {}
RewardModel::~RewardModel() = default;
RewardModel::RewardModel(RewardModel&&) noexcept = default;

void RewardModel::quantize(const Int8Plan& int8_plan, ThreadPool& pool) {
  impl_->plan.quantize(int8_plan);
  impl_->load(pool);
}

void RewardModel::observe(const packing::Pack& pack, LinearObserver& observer,
                          ThreadPool& pool) const {
  GroupPass::Options options{impl_->precision, impl_->max_stream_bytes()};
  options.observer = &observer;
  GroupPass(impl_->config, options, *impl_->source, pool).run(std::span(&pack, 1));
}

const ModelConfig& RewardModel::config() const { return impl_->config; }
const WeightPlan& RewardModel::weights() const { return impl_->plan; }
const WeightPlacement& RewardModel::placement() const { return impl_->placement; }

std::string RewardModel::fingerprint(ThreadPool& pool) const {
  if (impl_->plan.stored_bytes() <= kMaxHashedBytes) {
    return fingerprint_files(impl_->files.all(), pool);
  }
  return sampled_fingerprint(impl_->files.others, impl_->plan.tensors(), pool);
}

std::vector<float> RewardModel::forward(const packing::Pack& pack, ThreadPool& pool) const {
  return std::move(forward(std::span(&pack, 1), pool).front());
}

std::vector<std::vector<float>> RewardModel::forward(std::span<const packing::Pack> packs,
                                                     ThreadPool& pool,
                                                     const OnProgress& on_progress) const {
  GroupPass::Options options{impl_->precision, impl_->max_stream_bytes()};
  if (impl_->plan.is_int8() && !std::ranges::all_of(packs, packing::has_separate_ends))
    throw InternalError("forward: int8 takes packs with separate ends");
  double done = 0, total = 0;  // rows times layers
  for (const packing::Pack& pack : packs) total += static_cast<double>(pack.tokens.size());
  total *= static_cast<double>(impl_->config.num_layers);
  if (on_progress) {
    options.on_layer = [&](std::int64_t rows) {
      done += static_cast<double>(rows);
      on_progress(done / total);
    };
  }
  GroupPass pass(impl_->config, options, *impl_->source, pool);
  std::vector<std::vector<float>> rewards;
  while (rewards.size() < packs.size()) {
    for (std::vector<float>& values : pass.run(packs.subspan(rewards.size()))) {
      rewards.push_back(std::move(values));
    }
  }
  return rewards;
}

std::int64_t RewardModel::activation_bytes(std::int64_t num_rows) const {
  return activation_bytes_of(impl_->config, num_rows);
}

ReadStatistics RewardModel::read_statistics() const {
  return impl_->streamed == nullptr ? ReadStatistics{} : impl_->streamed->statistics();
}

}  // namespace laurel::model
