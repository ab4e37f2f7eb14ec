// What a training step measured: a line of metrics.jsonl. Written by train, read by report and
// others.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

#include "laurel/base/json.h"

namespace laurel::schema {

// Means are over the step's examples. A value that was not measured, or is no number, is NaN here
// and null in JSON. The members' names are the keys.
struct StepMetrics {
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

  std::int64_t step = 0;  // from 1
  double epoch = kNone;   // examples seen / examples of the set
  double loss = kNone;
  double accuracy = kNone;         // share of chosen > rejected
  double chosen_reward = kNone;    // mean
  double rejected_reward = kNone;  // mean
  double margin = kNone;           // mean of chosen - rejected
  double reward_mean = kNone;      // over all sequences of the step
  double reward_std = kNone;
  double learning_rate = kNone;      // that the step used
  double grad_norm = kNone;          // before clipping
  std::int64_t num_tokens = 0;       // of all sequences, a shared prompt counted in each
  std::int64_t computed_tokens = 0;  // rows of the forest
  std::int64_t padded_tokens = 0;    // of right-padded micro-batches of the same examples
  double seconds = kNone;            // forward, backward and step
  double tokens_per_second = kNone;  // num_tokens / seconds
};

// One object, keys in the order above.
Json to_json(const StepMetrics& metrics);
// Missing keys and null give the defaults; other keys are ignored. Throws UserError beginning with
// `where` for a value of another type and for a line without "step".
StepMetrics parse_step_metrics(const Json& object, std::string_view where);

}  // namespace laurel::schema
