#include "laurel/train/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "laurel/base/random.h"

namespace laurel::train {

Sampler::Sampler(const SamplerOptions& options, const RunLength& length)
    : options_(options), length_(length), steps_per_epoch_(train::steps_per_epoch(length)) {}

void Sampler::prepare(std::int64_t epoch) {
  if (epoch == epoch_) return;
  epoch_ = epoch;
  order_.resize(static_cast<std::size_t>(length_.num_examples));
  std::iota(order_.begin(), order_.end(), std::int64_t{0});
  if (options_.shuffle) Random(options_.seed, fmt::format("epoch {}", epoch)).shuffle(order_);
}

std::vector<std::int64_t> Sampler::examples_of(std::int64_t step) {
  prepare(epoch_of(step));
  const std::int64_t begin = (step - 1) % steps_per_epoch_ * length_.batch_size;
  const std::int64_t end = std::min(begin + length_.batch_size, length_.num_examples);
  return {order_.begin() + begin, order_.begin() + end};
}

double Sampler::epochs_done(std::int64_t step) const {
  const std::int64_t whole = step / steps_per_epoch_;
  const std::int64_t rest = step % steps_per_epoch_ * length_.batch_size;
  return static_cast<double>(whole) +
         static_cast<double>(rest) / static_cast<double>(length_.num_examples);
}

}  // namespace laurel::train
