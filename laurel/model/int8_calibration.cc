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

using kernels::Accumulate;
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
  Planner(const Int8Rule& rule, const OnLinear& on_linear) : rule_(rule), on_linear_(on_linear) {}

  void see(const PassContext& context, ConstMatrix x, const Linear& linear,
           Int8Input bits) override {
    if (!linear.name.starts_with("model.layers.")) return;  // the score head
    Int8Choice& choice = plan_[linear.name];
    choice.calibration = calibration_for(x, linear.name, context);
    const ArenaScope scope(context.scratch);
    PassContext quiet = context;
    quiet.observer = nullptr;
    Linear exact = linear, quantized = linear;
    exact.bias = quantized.bias = {};
    Int8Copies copies;
    choice.has_rest = false;
    quantize_linear(quantized, choice, copies, context.pool);
    choice.has_rest = rule_.has_rest;
    const std::int64_t out = linear.weight.out_features;
    const Matrix want = context.scratch.matrix(x.rows, out);
    const Matrix got = context.scratch.matrix(x.rows, out);
    model::linear(quiet, x, exact, want);
    model::linear(quiet, LinearInput(quiet, x, {}, bits), quantized, got, Accumulate::kNo, bits);
    choice.relative_error = relative_error(got, want);
    choice.stays_float = !(choice.relative_error <= rule_.max_error);
    if (choice.stays_float) choice.calibration = nullptr;
    if (on_linear_) on_linear_(std::ssize(plan_));
  }

  const Int8Plan& plan() const { return plan_; }

 private:
  // Layers of one module that are told the same matrix one after the other share what it tells.
  std::shared_ptr<const kernels::Int8Calibration> calibration_for(ConstMatrix x,
                                                                  const std::string& name,
                                                                  const PassContext& context) {
    const bool is_last = x.data == last_input_.data && x.rows == last_input_.rows &&
                         x.cols == last_input_.cols && module_of(name) == last_module_;
    if (!is_last) {
      last_input_ = x;
      last_module_ = module_of(name);
      last_ = std::make_shared<kernels::Int8Calibration>(
          kernels::int8_calibration(x, row_weights(x.rows, context.layout), context.pool));
    }
    return last_;
  }

  // Of the rows of an input: first, last and other rows of the text, of which there are few and
  // many, have the same sum.
  static std::vector<float> row_weights(std::int64_t rows, const PackLayout& layout) {
    std::vector<float> weights(static_cast<std::size_t>(rows), 1.0f);
    if (rows != layout.num_rows) return weights;  // those of the last layer: scored ones
    for (const std::vector<std::int32_t>* some : {&layout.end_rows, &layout.first_rows}) {
      for (const std::int32_t row : *some) {
        weights[static_cast<std::size_t>(row)] =
            static_cast<float>(rows) / static_cast<float>(some->size());
      }
    }
    return weights;
  }

  const Int8Rule& rule_;
  const OnLinear& on_linear_;
  Int8Plan plan_;
  ConstMatrix last_input_ = {};
  std::string last_module_;
  std::shared_ptr<const kernels::Int8Calibration> last_;
};

}  // namespace

Int8Plan plan_int8(const RewardModel& model, const packing::Pack& text, const Int8Rule& rule,
                   ThreadPool& pool, const OnLinear& on_linear) {
  if (model.config().int8_pack) throw UserError("the model's weights are int8 already");
  Planner planner(rule, on_linear);
  model.observe(text, planner, pool);
  return planner.plan();
}

}  // namespace laurel::model
