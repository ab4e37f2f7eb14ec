#include "laurel/model/int8_calibration.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <string_view>

#include "laurel/base/error.h"
#include "laurel/model/block_forward.h"

namespace laurel::model {
namespace {

using kernels::ConstMatrix;
using kernels::Matrix;

// Root of the mean, over rows, of |got - want|² / |want|².
double relative_error(ConstMatrix got, ConstMatrix want) {
  double sum = 0;
  for (std::int64_t r = 0; r < want.rows; ++r) {
    double error = 0, size = 0;
    for (std::int64_t n = 0; n < want.cols; ++n) {
      const double exact = double{want.row(r)[n]}, difference = double{got.row(r)[n]} - exact;
      error += difference * difference;
      size += exact * exact;
    }
    if (size > 0) sum += error / size;
  }
  return std::sqrt(sum / static_cast<double>(std::max<std::int64_t>(1, want.rows)));
}

// "model.layers.0.mlp" of "model.layers.0.mlp.up_proj"
std::string_view module_of(std::string_view name) { return name.substr(0, name.rfind('.')); }

class Planner : public LinearObserver {
 public:
  Planner(double max_error, const OnLinear& on_linear)
      : max_error_(max_error), on_linear_(on_linear) {}

  void see(const PassContext& context, ConstMatrix x, const Linear& linear) override {
    if (!linear.name.starts_with("model.layers.")) return;  // the score head
    Int8Choice& choice = plan_[linear.name];
    choice.feedback = feedback_for(x, linear.name, context.pool);
    const ArenaScope scope(context.scratch);
    PassContext quiet = context;
    quiet.observer = nullptr;
    Linear exact = linear, quantized = linear;
    exact.bias = quantized.bias = {};
    Int8Copies copies;
    quantize_linear(quantized, choice, copies, context.pool);
    const std::int64_t out = linear.weight.out_features;
    const Matrix want = context.scratch.matrix(x.rows, out);
    const Matrix got = context.scratch.matrix(x.rows, out);
    model::linear(quiet, x, exact, want);
    model::linear(quiet, x, quantized, got);
    choice.relative_error = relative_error(got, want);
    choice.stays_float = !(choice.relative_error <= max_error_);
    if (choice.stays_float) choice.feedback = nullptr;
    if (on_linear_) on_linear_(std::ssize(plan_));
  }

  const Int8Plan& plan() const { return plan_; }

 private:
  // Layers of one module that are told the same matrix one after the other share its feedback.
  std::shared_ptr<const kernels::Int8Feedback> feedback_for(ConstMatrix x, const std::string& name,
                                                            ThreadPool& pool) {
    const bool is_last = x.data == last_input_.data && x.rows == last_input_.rows &&
                         x.cols == last_input_.cols && module_of(name) == last_module_;
    if (!is_last) {
      last_input_ = x;
      last_module_ = module_of(name);
      last_feedback_ = std::make_shared<kernels::Int8Feedback>(kernels::int8_feedback(x, pool));
    }
    return last_feedback_;
  }

  double max_error_;
  const OnLinear& on_linear_;
  Int8Plan plan_;
  ConstMatrix last_input_ = {};
  std::string last_module_;
  std::shared_ptr<const kernels::Int8Feedback> last_feedback_;
};

}  // namespace

Int8Plan plan_int8(const RewardModel& model, const packing::Pack& text, double max_error,
                   ThreadPool& pool, const OnLinear& on_linear) {
  if (model.config().int8_pack) throw UserError("the model's weights are int8 already");
  Planner planner(max_error, on_linear);
  model.observe(text, planner, pool);
  return planner.plan();
}

}  // namespace laurel::model
