// Which examples each step trains on: a function of the seed and the step's number, so that a
// resumed run needs no other state.
#pragma once

#include <cstdint>
#include <vector>

#include "laurel/train/schedule.h"

namespace laurel::train {

struct SamplerOptions {
  std::uint64_t seed = 1;
  bool shuffle =
      true;  // a new order every epoch (Fisher–Yates over laurel::Random); else the set's
};

// Not thread-safe (keeps the order of the epoch asked for last).
class Sampler {
 public:
  Sampler(const SamplerOptions& options, const RunLength& length);

  // Indices of the examples of step `step`, from 1: batch_size of them, fewer at an epoch's end.
  // Every epoch has each example once.
  std::vector<std::int64_t> examples_of(std::int64_t step);

  std::int64_t steps_per_epoch() const { return steps_per_epoch_; }
  // Of step `step`, from 0.
  std::int64_t epoch_of(std::int64_t step) const { return (step - 1) / steps_per_epoch_; }
  // Epochs done after `step` steps, e.g. 1.5.
  double epochs_done(std::int64_t step) const;

 private:
  void prepare(std::int64_t epoch);

  SamplerOptions options_;
  RunLength length_;
  std::int64_t steps_per_epoch_;
  std::int64_t epoch_ = -1;  // that order_ is of
  std::vector<std::int64_t> order_;
};

}  // namespace laurel::train
