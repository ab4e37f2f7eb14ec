// Rounding of weights into the packed order, a panel of channels at a time.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "laurel/kernels/int8.h"
#include "laurel/kernels/int8_kernels.h"
#include "laurel/kernels/parameter.h"
#include "laurel/kernels/partition.h"
#include "laurel/kernels/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "laurel/kernels/int8_weight.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#ifndef LAUREL_INT8_WEIGHT_ONCE
#define LAUREL_INT8_WEIGHT_ONCE
namespace laurel::kernels {

// The channels of a panel side by side: element (k, n) is k * kInt8PanelChannels + n.
struct ChannelPanel {
  const float* weights = nullptr;  // rotated
  const float* scales = nullptr;   // [kInt8PanelChannels], positive
  float* wanted = nullptr;         // weights, and what makes up for rounding before; changed
  std::int8_t* values = nullptr;   // the result
};

}  // namespace laurel::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace laurel::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using I32 = hn::RebindToSigned<F32>;
using I8 = hn::Rebind<std::int8_t, I32>;
constexpr std::int64_t kLanes = HWY_LANES(float);

// The nearest value to wanted / scale within the bounds of an element and, with the other one of
// its pair, kMaxInt8Pair.
HWY_INLINE hn::Vec<I32> nearest_value(hn::Vec<F32> wanted, hn::Vec<F32> scale, hn::Vec<I32> other) {
  const F32 d;
  const I32 di;
  const auto ratio = hn::Clamp(hn::Div(wanted, scale), hn::Set(d, -127.0f), hn::Set(d, 127.0f));
  const auto value =
      hn::Sub(hn::BitCast(di, hn::Add(ratio, hn::Set(d, kRounder))), hn::Set(di, kRounderBits));
  const auto most = hn::Set(di, static_cast<std::int32_t>(kMaxInt8Pair));
  const auto low = hn::Max(hn::Set(di, -127), hn::Neg(hn::Add(most, other)));
  const auto high = hn::Min(hn::Set(di, 127), hn::Sub(most, other));
  return hn::Min(hn::Max(value, low), high);
}

// Rounds these inputs, a block of feedback. factors: [inputs, inputs], or null for none.
void round_block(const ChannelPanel& panel, Range inputs, const float* factors) {
  const F32 d;
  const I32 di;
  const I8 d8;
  alignas(64) float errors[kInt8PanelChannels];
  for (std::int64_t k = inputs.begin; k < inputs.end; ++k) {
    const std::int64_t place = k * kInt8PanelChannels;
    for (std::int64_t n = 0; n < kInt8PanelChannels; n += kLanes) {
      const auto scale = hn::LoadU(d, panel.scales + n);
      auto other = hn::Zero(di);
      if (k % 2 != 0)
        other = hn::PromoteTo(di, hn::LoadU(d8, panel.values + place - kInt8PanelChannels + n));
      const auto value = nearest_value(hn::LoadU(d, panel.wanted + place + n), scale, other);
      hn::StoreU(hn::DemoteTo(d8, value), d8, panel.values + place + n);
      const auto rounded = hn::Mul(scale, hn::ConvertTo(d, value));
      hn::StoreU(hn::Sub(hn::LoadU(d, panel.weights + place + n), rounded), d, errors + n);
    }
    if (factors == nullptr) continue;
    const float* row = factors + (k - inputs.begin) * inputs.size();
    for (std::int64_t n = 0; n < kInt8PanelChannels; n += kLanes) {
      const auto error = hn::LoadU(d, errors + n);
      for (std::int64_t j = k + 1; j < inputs.end; ++j) {
        float* to = panel.wanted + j * kInt8PanelChannels + n;
        const auto change = hn::Mul(error, hn::Set(d, row[j - inputs.begin]));
        hn::StoreU(hn::Add(hn::LoadU(d, to), change), d, to);
      }
    }
  }
}

}  // namespace laurel::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace laurel::kernels {
namespace {

HWY_EXPORT(round_block);

// Of an element and of the sum of a pair: the largest magnitude. Infinity if one is not finite.
float largest_of_pairs(const std::vector<float>& w) {
  float largest = 0;
  bool finite = true;
  for (std::size_t k = 0; k < w.size(); ++k) {
    const float pair = k + 1 < w.size() && k % 2 == 0 ? w[k] + w[k + 1] : 0.0f;
    largest = std::max({largest, std::abs(w[k]), std::abs(pair)});
    finite = finite && std::isfinite(w[k]);
  }
  return finite ? largest : std::numeric_limits<float>::infinity();
}

// One panel after the other, in memory that is kept.
class PanelRounder {
 public:
  PanelRounder(const Weight& weight, const Int8Calibration& calibration)
      : weight_(weight),
        calibration_(calibration),
        channel_(static_cast<std::size_t>(weight.in_features)),
        rotated_(channel_.size()),
        weights_(channel_.size() * kInt8PanelChannels),
        wanted_(weights_.size()),
        values_(weights_.size()) {
    if (!calibration.factors.empty()) blocks_ = feedback_blocks(weight.in_features);
  }

  // Rounds the panel from channel `first` on.
  void round(std::int64_t first, const Int8WeightMemory& to, const Int8WeightMemory& rest) {
    const std::int64_t count = std::min(kInt8PanelChannels, weight_.out_features - first);
    std::fill(weights_.begin(), weights_.end(), 0.0f);
    steps_.fill(1);
    for (std::int64_t n = 0; n < count; ++n) {
      load_row(weight_, first + n, channel_.data());
      if (to.offsets != nullptr) to.offsets[first + n] = offset();
      rotate_row(channel_.data(), weight_.in_features, rotated_.data());
      to.scales[first + n] = take_channel(n);
    }
    round_panel(blocks_);
    finish({first, first + count}, to);
    if (rest.packed == nullptr) return;
    subtract_rounded();
    steps_.fill(1);
    for (std::int64_t n = 0; n < count; ++n) {
      for (std::size_t k = 0; k < rotated_.size(); ++k) rotated_[k] = weights_[place(k, n)];
      rest.scales[first + n] = take_channel(n);
    }
    round_panel({});
    finish({first, first + count}, rest);
  }

 private:
  // What the center of the inputs gives.
  float offset() const {
    double sum = 0;
    for (std::size_t k = 0; k < calibration_.center.size(); ++k)
      sum += double{calibration_.center[k]} * double{channel_[k]};
    return static_cast<float>(sum);
  }

  static std::size_t place(std::size_t k, std::int64_t n) {
    return k * kInt8PanelChannels + static_cast<std::size_t>(n);
  }

  // Puts the rotated channel into its place as channel n and returns its scale. One that is
  // negligible, or not finite, becomes 0.
  float take_channel(std::int64_t n) {
    const float largest = largest_of_pairs(rotated_);
    const bool fits = largest >= kNegligible && largest <= std::numeric_limits<float>::max();
    for (std::size_t k = 0; k < rotated_.size(); ++k)
      weights_[place(k, n)] = fits ? rotated_[k] : 0.0f;
    if (!fits) return largest < kNegligible ? 0.0f : std::numeric_limits<float>::quiet_NaN();
    const float step = largest / 127.0f;
    steps_[static_cast<std::size_t>(n)] = step;
    return step / static_cast<float>(hadamard_order(weight_.in_features));
  }

  void round_panel(const std::vector<FeedbackBlock>& blocks) {
    wanted_ = weights_;
    const ChannelPanel panel{weights_.data(), steps_.data(), wanted_.data(), values_.data()};
    const auto round = LAUREL_DISPATCH(round_block);
    if (blocks.empty()) round(panel, {0, weight_.in_features}, nullptr);
    for (const FeedbackBlock& block : blocks)
      round(panel, block.inputs, calibration_.factors.data() + block.place);
  }

  void subtract_rounded() {
    for (std::size_t i = 0; i < weights_.size(); ++i)
      weights_[i] -= steps_[i % kInt8PanelChannels] * static_cast<float>(values_[i]);
  }

  // Stores sums and values of these channels.
  void finish(Range channels, const Int8WeightMemory& to) const {
    for (std::int64_t n = channels.begin; n < channels.end; ++n) {
      to.sums[n] = 0;
      for (std::size_t k = 0; k < rotated_.size(); ++k)
        to.sums[n] += values_[place(k, n - channels.begin)];
    }
    pack(to.packed + channels.begin * round_up(weight_.in_features, kInt8GroupInputs));
  }

  // In groups of inputs; those that fill up the last one are 0.
  void pack(std::int8_t* to) const {
    const auto in = static_cast<std::size_t>(weight_.in_features);
    for (std::size_t g = 0; g < in; g += kInt8GroupInputs) {
      for (std::int64_t n = 0; n < kInt8PanelChannels; ++n) {
        for (std::size_t k = g; k < g + kInt8GroupInputs; ++k)
          *to++ = k < in ? values_[place(k, n)] : std::int8_t{0};
      }
    }
  }

  const Weight& weight_;
  const Int8Calibration& calibration_;
  std::vector<FeedbackBlock> blocks_;
  std::vector<float> channel_, rotated_;  // [in]
  std::vector<float> weights_, wanted_;   // as in ChannelPanel
  std::vector<std::int8_t> values_;
  std::array<float, kInt8PanelChannels> steps_ = {};
};

}  // namespace

std::int64_t packed_int8_bytes(std::int64_t out_features, std::int64_t in_features) {
  return round_up(out_features, kInt8PanelChannels) * round_up(in_features, kInt8GroupInputs);
}

void quantize_weight(const Weight& weight, const Int8Calibration& calibration,
                     const Int8WeightMemory& to, const Int8WeightMemory& rest, ThreadPool& pool) {
  const std::int64_t panels = ceil_div(weight.out_features, kInt8PanelChannels);
  pool.parallel_for(panels, 1, [&](std::int64_t begin, std::int64_t end, int) {
    PanelRounder rounder(weight, calibration);
    for (std::int64_t p = begin; p < end; ++p) rounder.round(p * kInt8PanelChannels, to, rest);
  });
}

}  // namespace laurel::kernels
#endif
