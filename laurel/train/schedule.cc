#include "laurel/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "laurel/base/checked.h"
#include "laurel/base/error.h"

namespace laurel::train {
namespace {

void check_positive(std::string_view name, std::int64_t value) {
  if (value < 1) throw UserError("{}: expected 1 or more, got {}", name, value);
}

void check_options(const ScheduleOptions& options) {
  if (!(options.learning_rate >= 0 && std::isfinite(options.learning_rate))) {
    throw UserError("option learning-rate: out of range, expected 0 or more, got {}",
                    options.learning_rate);
  }
  if (options.warmup_steps < 0) {
    throw UserError("option warmup-steps: out of range, expected 0 or more, got {}",
                    options.warmup_steps);
  }
  if (!(options.warmup_ratio >= 0 && options.warmup_ratio <= 1)) {
    throw UserError("option warmup-ratio: out of range, expected 0 to 1, got {}",
                    options.warmup_ratio);
  }
}

// open-instruct: the schedule gets num_training_steps · epochs, and num_training_steps is epochs ·
// examples / batch, rounded down, already.
std::int64_t open_instruct_steps(const RunLength& length) {
  const std::int64_t examples =
      checked_mul(length.num_epochs, length.num_examples, "option num-epochs");
  return checked_mul(examples / length.batch_size, length.num_epochs, "option num-epochs");
}

double share(std::int64_t part, std::int64_t whole) {
  return static_cast<double>(part) / static_cast<double>(std::max<std::int64_t>(1, whole));
}

}  // namespace

std::string_view to_string(ScheduleKind kind) {
  switch (kind) {
    case ScheduleKind::kLinear:
      return "linear";
    case ScheduleKind::kCosine:
      return "cosine";
    case ScheduleKind::kConstant:
      return "constant";
  }
  return "?";
}

std::int64_t steps_per_epoch(const RunLength& length) {
  check_positive("number of training examples", length.num_examples);
  check_positive("option train-batch-size", length.batch_size);
  return (length.num_examples - 1) / length.batch_size + 1;
}

std::int64_t num_steps(const RunLength& length) {
  const std::int64_t per_epoch = steps_per_epoch(length);
  if (length.max_steps > 0) return length.max_steps;
  check_positive("option num-epochs", length.num_epochs);
  return checked_mul(per_epoch, length.num_epochs, "option num-epochs");
}

Schedule::Schedule(const ScheduleOptions& options, const RunLength& length) : options_(options) {
  check_options(options);
  const std::int64_t total = num_steps(length);
  decay_steps_ = options.like_open_instruct ? open_instruct_steps(length) : total;
  warmup_ =
      options.warmup_steps > 0
          ? options.warmup_steps
          : static_cast<std::int64_t>(std::ceil(static_cast<double>(total) * options.warmup_ratio));
}

double Schedule::learning_rate(std::int64_t step) const {
  const std::int64_t done = step - 1;
  if (done < warmup_) return options_.learning_rate * share(done, warmup_);
  switch (options_.kind) {
    case ScheduleKind::kLinear:
      return options_.learning_rate *
             std::max(0.0, share(decay_steps_ - done, decay_steps_ - warmup_));
    case ScheduleKind::kCosine: {
      const double progress = std::min(1.0, share(done - warmup_, decay_steps_ - warmup_));
      return options_.learning_rate * 0.5 * (1 + std::cos(std::numbers::pi * progress));
    }
    case ScheduleKind::kConstant:
      return options_.learning_rate;
  }
  throw InternalError("unknown schedule");
}

}  // namespace laurel::train
