#include "laurel/model/int8_calibration.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "laurel/base/error.h"
#include "laurel/model/block_forward.h"

namespace laurel::model {
namespace {

using kernels::ConstMatrix;
using kernels::Matrix;

// An input is wide if its peak on the text exceeds this many times the median input's.
constexpr float kWidePeak = 1.5f;
// At most one input in this many is, those with the highest peaks.
constexpr std::int64_t kInputsPerWide = 8;

// [cols] the largest magnitude of each column.
std::vector<float> column_peaks(ConstMatrix x) {
  std::vector<float> peaks(static_cast<std::size_t>(x.cols), 0.0f);
  for (std::int64_t r = 0; r < x.rows; ++r) {
    for (std::int64_t k = 0; k < x.cols; ++k) {
      float& peak = peaks[static_cast<std::size_t>(k)];
      peak = std::max(peak, std::abs(x.row(r)[k]));
    }
  }
  return peaks;
}

std::vector<std::int32_t> choose_wide_inputs(ConstMatrix x) {
  const std::vector<float> peaks = column_peaks(x);
  std::vector<float> sorted = peaks;
  const auto middle = sorted.begin() + x.cols / 2;
  std::nth_element(sorted.begin(), middle, sorted.end());
  const float threshold = kWidePeak * *middle;
  const auto peak_of = [&](std::int32_t k) { return peaks[static_cast<std::size_t>(k)]; };
  std::vector<std::int32_t> inputs(peaks.size());
  std::iota(inputs.begin(), inputs.end(), 0);
  std::erase_if(inputs, [&](std::int32_t k) { return !(peak_of(k) > threshold); });
  std::stable_sort(inputs.begin(), inputs.end(),
                   [&](std::int32_t a, std::int32_t b) { return peak_of(a) > peak_of(b); });
  const auto limit =
      static_cast<std::size_t>(std::min(kernels::kMaxWideInputs, x.cols / kInputsPerWide));
  if (inputs.size() > limit) inputs.resize(limit);
  std::sort(inputs.begin(), inputs.end());
  return inputs;
}

// Root of the mean, over rows, of |got - want|² / |want|².
double relative_error(ConstMatrix got, ConstMatrix want) {
  double sum = 0;
  for (std::int64_t r = 0; r < want.rows; ++r) {
    double error = 0, size = 0;
    for (std::int64_t n = 0; n < want.cols; ++n) {
      error += std::pow(double{got.row(r)[n]} - double{want.row(r)[n]}, 2);
      size += std::pow(double{want.row(r)[n]}, 2);
    }
    if (size > 0) sum += error / size;
  }
  return std::sqrt(sum / static_cast<double>(std::max<std::int64_t>(1, want.rows)));
}

class Planner : public LinearObserver {
 public:
  explicit Planner(double max_error) : max_error_(max_error) {}

  void see(const PassContext& context, ConstMatrix x, const Linear& linear) override {
    if (!linear.name.starts_with("model.layers.")) return;  // the score head
    Int8Choice& choice = plan_[linear.name];
    choice.wide_inputs = choose_wide_inputs(x);
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
  }

  const Int8Plan& plan() const { return plan_; }

 private:
  double max_error_;
  Int8Plan plan_;
};

}  // namespace

Int8Plan plan_int8(const RewardModel& model, const packing::Pack& text, double max_error,
                   ThreadPool& pool) {
  if (model.config().int8_pack) throw UserError("the model's weights are int8 already");
  Planner planner(max_error);
  model.observe(text, planner, pool);
  return planner.plan();
}

}  // namespace laurel::model
