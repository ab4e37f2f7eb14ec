// AdamW over all trained tensors of a model, and the norm of their gradients.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "laurel/base/thread_pool.h"
#include "laurel/model/trainable_model.h"

namespace laurel::train {

struct OptimizerOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-5;
  double weight_decay = 0.01;  // of every tensor, biases and norms too
  double max_grad_norm = 0;    // gradients are scaled down to this norm; 0: never
};

// Throws UserError naming the option that is out of range.
void check_optimizer_options(const OptimizerOptions& options);

// Moments of one tensor, as many elements as it has.
struct Moments {
  std::vector<float> first;
  std::vector<float> second;
};

class Optimizer {
 public:
  Optimizer(std::span<const model::Parameter> parameters, const OptimizerOptions& options);

  // Euclidean norm over all gradients; NaN or infinite if one of them is.
  static double gradient_norm(std::span<const model::Parameter> parameters, ThreadPool& pool);

  // One update. `norm`: of these gradients. Precondition: the parameters given to the constructor.
  void update(std::span<model::Parameter> parameters, double learning_rate, double norm,
              ThreadPool& pool);

  // State: updates done so far, and the moments in the parameters' order.
  std::int64_t num_updates() const { return num_updates_; }
  void set_num_updates(std::int64_t count) { num_updates_ = count; }
  std::span<Moments> moments() { return moments_; }
  std::span<const Moments> moments() const { return moments_; }

 private:
  OptimizerOptions options_;
  std::int64_t num_updates_ = 0;
  std::vector<Moments> moments_;
};

}  // namespace laurel::train
