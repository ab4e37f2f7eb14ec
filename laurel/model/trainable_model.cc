#include "laurel/model/trainable_model.h"

#include "laurel/base/error.h"
#include "laurel/model/trainable_weights.h"
#include "laurel/model/training_pass.h"

namespace laurel::model {
namespace {

TrainableOptions checked(const ModelConfig& config, const TrainableOptions& options) {
  check_options(config, options);
  return options;
}

}  // namespace

struct TrainableModel::Impl {
  ModelConfig config;
  TrainableOptions options;
  TrainableWeights weights;
  TrainingPass pass;

  Impl(ModelConfig shape, formats::TensorStore base, const TrainableOptions& choices,
       ThreadPool& pool)
      : config(std::move(shape)),
        options(checked(config, choices)),
        weights(config, std::move(base), options, pool),
        pass(config, options.freeze_layers, options.recompute) {}
};

TrainableModel::TrainableModel(ModelConfig config, formats::TensorStore base,
                               const TrainableOptions& options, ThreadPool& pool)
    : impl_(std::make_unique<Impl>(std::move(config), std::move(base), options, pool)) {}
TrainableModel::~TrainableModel() = default;
TrainableModel::TrainableModel(TrainableModel&&) noexcept = default;

const ModelConfig& TrainableModel::config() const { return impl_->config; }
const TrainableOptions& TrainableModel::options() const { return impl_->options; }
std::span<Parameter> TrainableModel::parameters() { return impl_->weights.parameters(); }
std::span<const Parameter> TrainableModel::parameters() const {
  return std::as_const(impl_->weights).parameters();
}
void TrainableModel::clear_gradients(ThreadPool& pool) { impl_->weights.clear_gradients(pool); }

std::vector<float> TrainableModel::forward(const packing::Pack& pack,
                                           kernels::ConstMatrix frozen_states, ThreadPool& pool) {
  return impl_->pass.forward(impl_->weights.decoder(), pack, frozen_states, pool);
}

void TrainableModel::backward(std::span<const float> d_rewards, ThreadPool& pool) {
  impl_->pass.backward(impl_->weights.decoder(), impl_->weights.gradients(), d_rewards, pool);
}

std::vector<float> TrainableModel::evaluate(const packing::Pack& pack, ThreadPool& pool) const {
  return impl_->pass.evaluate(impl_->weights.decoder(), pack, pool);
}

std::vector<float> TrainableModel::frozen_states(const packing::Pack& pack,
                                                 ThreadPool& pool) const {
  if (impl_->options.freeze_layers == 0) throw InternalError("frozen_states: no frozen layers");
  return impl_->pass.frozen_states(impl_->weights.decoder(), pack, pool);
}

std::vector<float> TrainableModel::tensor(const std::string& name) const {
  const kernels::Weight& weight = impl_->weights.stored(name);
  std::vector<float> values(static_cast<std::size_t>(weight.out_features * weight.in_features));
  ThreadPool alone(1);
  expand(weight, values.data(), alone);
  return values;
}

DType TrainableModel::tensor_dtype(const std::string& name) const {
  return impl_->weights.stored(name).dtype;
}

}  // namespace laurel::model
