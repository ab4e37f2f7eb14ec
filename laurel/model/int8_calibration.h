// What int8 should leave in float, measured on a text.
#pragma once

#include <cstdint>
#include <functional>

#include "laurel/base/thread_pool.h"
#include "laurel/model/int8_weights.h"
#include "laurel/model/reward_model.h"
#include "laurel/packing/forest.h"

namespace laurel::model {

// Layers whose relative error (Int8Choice) exceeds this stay in float, unless the caller says
// otherwise.
inline constexpr double kMaxInt8Error = 0.0125;

using OnLinear = std::function<void(std::int64_t done)>;

// Runs the model in float over the text. The inputs of each linear layer of the decoder there give
// the feedback for rounding its weights; with that, layers whose relative error exceeds max_error
// stay in float. The same text gives the same plan. on_linear is told how many linear layers are
// done. Throws UserError if the model's weights are int8 already.
Int8Plan plan_int8(const RewardModel& model, const packing::Pack& text, double max_error,
                   ThreadPool& pool, const OnLinear& on_linear = {});

}  // namespace laurel::model
