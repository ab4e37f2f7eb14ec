#include "laurel/train/optimizer.h"

#include <cmath>

#include "laurel/base/error.h"
#include "laurel/kernels/optimizer.h"

namespace laurel::train {
namespace {

void check_range(const char* name, double value, bool in_range, const char* expected) {
  if (!in_range) {
    throw UserError("option {}: out of range, expected {}, got {}", name, expected, value);
  }
}

bool is_share(double value) { return value >= 0 && value < 1; }
bool is_not_negative(double value) { return value >= 0 && std::isfinite(value); }

}  // namespace

void check_optimizer_options(const OptimizerOptions& options) {
  check_range("adam-beta1", options.beta1, is_share(options.beta1), "0 or more and less than 1");
  check_range("adam-beta2", options.beta2, is_share(options.beta2), "0 or more and less than 1");
  check_range("adam-epsilon", options.epsilon,
              options.epsilon > 0 && std::isfinite(options.epsilon), "more than 0");
  check_range("weight-decay", options.weight_decay, is_not_negative(options.weight_decay),
              "0 or more");
  check_range("max-grad-norm", options.max_grad_norm, is_not_negative(options.max_grad_norm),
              "0 or more");
}

Optimizer::Optimizer(std::span<const model::Parameter> parameters, const OptimizerOptions& options)
    : options_(options) {
  check_optimizer_options(options);
  for (const model::Parameter& parameter : parameters) {
    moments_.push_back(
        {std::vector<float>(parameter.value.size()), std::vector<float>(parameter.value.size())});
  }
}

double Optimizer::gradient_norm(std::span<const model::Parameter> parameters, ThreadPool& pool) {
  double sum = 0;
  for (const model::Parameter& parameter : parameters) {
    sum += kernels::sum_of_squares(parameter.gradient, pool);
  }
  return std::sqrt(sum);
}

void Optimizer::update(std::span<model::Parameter> parameters, double learning_rate, double norm,
                       ThreadPool& pool) {
  kernels::AdamW step;
  step.learning_rate = learning_rate;
  step.beta1 = options_.beta1;
  step.beta2 = options_.beta2;
  step.epsilon = options_.epsilon;
  step.weight_decay = options_.weight_decay;
  step.step = ++num_updates_;
  if (options_.max_grad_norm > 0 && norm > options_.max_grad_norm) {
    constexpr double kSmallest = 1e-6;  // as torch.nn.utils.clip_grad_norm_
    step.gradient_scale = options_.max_grad_norm / (norm + kSmallest);
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    kernels::adamw_step(parameters[i].value, parameters[i].gradient, moments_[i].first,
                        moments_[i].second, step, pool);
  }
}

}  // namespace laurel::train
