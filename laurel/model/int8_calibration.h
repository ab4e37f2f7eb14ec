// What int8 should leave in float, measured on a text.
#pragma once

#include "laurel/base/thread_pool.h"
#include "laurel/model/int8_weights.h"
#include "laurel/model/reward_model.h"
#include "laurel/packing/forest.h"

namespace laurel::model {

// Layers whose relative error (Int8Choice) exceeds this stay in float, unless the caller says
// otherwise.
inline constexpr double kMaxInt8Error = 0.02;

// Runs the model in float over the text and chooses for each linear layer of the decoder:
// * an input is wide if its largest magnitude on the text exceeds 1.5 times that of the median
//   input; at most 1/8 of the inputs, those with the largest;
// * with that, the layer stays in float if its relative error exceeds max_error.
// The same text gives the same plan. Throws UserError if the model's weights are int8 already.
Int8Plan plan_int8(const RewardModel& model, const packing::Pack& text, double max_error,
                   ThreadPool& pool);

}  // namespace laurel::model
