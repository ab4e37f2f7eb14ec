// How many steps a run has and which learning rate each one uses: the linear, cosine and constant
// schedules of transformers' get_scheduler.
#pragma once

#include <cstdint>
#include <string_view>

namespace laurel::train {

enum class ScheduleKind { kLinear, kCosine, kConstant };

std::string_view to_string(ScheduleKind kind);  // "linear", …

struct ScheduleOptions {
  ScheduleKind kind = ScheduleKind::kLinear;
  double learning_rate = 2e-5;    // the highest one
  std::int64_t warmup_steps = 0;  // from 0 up to learning_rate, before the decay
  double warmup_ratio = 0;        // share of the steps, rounded up; counts if warmup_steps is 0
  // The decay is stretched over num_epochs times as many steps, as open-instruct's trainer does,
  // where the number of steps holds the epochs already: one epoch decays to 0, two to half, three
  // to two thirds.
  bool like_open_instruct = false;
};

struct RunLength {
  std::int64_t num_examples = 0;
  std::int64_t batch_size = 0;  // examples per step
  std::int64_t num_epochs = 1;
  std::int64_t max_steps = 0;  // counts instead of the epochs, if not 0
};

// An epoch has ceil(num_examples / batch_size) steps, the last one smaller if need be. Throws
// UserError naming what is not positive.
std::int64_t steps_per_epoch(const RunLength& length);
std::int64_t num_steps(const RunLength& length);

class Schedule {
 public:
  // Throws UserError naming the option that is out of range.
  Schedule(const ScheduleOptions& options, const RunLength& length);

  // Of step `step`, counted from 1. transformers' schedulers count from 0.
  double learning_rate(std::int64_t step) const;
  std::int64_t warmup_steps() const { return warmup_; }

 private:
  ScheduleOptions options_;
  std::int64_t decay_steps_;  // from the first step to where the decay ends
  std::int64_t warmup_;
};

}  // namespace laurel::train
