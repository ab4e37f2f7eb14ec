// What int8 should leave in float, measured on a text.
#pragma once

#include <cstdint>
#include <functional>

#include "laurel/base/thread_pool.h"
#include "laurel/model/int8_weights.h"
#include "laurel/model/reward_model.h"
#include "laurel/packing/forest.h"

namespace laurel::model {

struct Int8Rule {
  // Layers whose relative error (Int8Choice) exceeds this stay in float.
  double max_error = 0.02;
  // Weights of fine rows (pack_layout.h) are of sixteen bits: twice the memory.
  bool has_rest = true;
};

using OnLinear = std::function<void(std::int64_t done)>;

// Runs the model in float over the text. The inputs of each linear layer of the decoder there give
// its calibration (kernels/int8.h); with that, layers are judged by the rule. The same text gives
// the same plan. on_linear is told how many linear layers are done. Throws UserError if the model's
// weights are int8 already.
Int8Plan plan_int8(const RewardModel& model, const packing::Pack& text, const Int8Rule& rule,
                   ThreadPool& pool, const OnLinear& on_linear = {});

}  // namespace laurel::model
