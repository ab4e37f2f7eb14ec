// What of a model int8 leaves in float, found by running it on conversations.
#pragma once

#include <span>
#include <string_view>

#include "laurel/base/thread_pool.h"
#include "laurel/chat/encoder.h"
#include "laurel/model/int8_calibration.h"
#include "laurel/model/reward_model.h"
#include "laurel/schema/conversation.h"

namespace laurel::scoring {

// The plan by these conversations, or by the built-in text if there are none. `where` begins the
// text of the UserError for a conversation that cannot be encoded or has tokens that the model
// lacks. Answers that end a conversation are also seen cut short in several places, so that there
// are more of the rows that rewards are read from.
model::Int8Plan plan_int8(const model::RewardModel& model, const chat::Encoder& encoder,
                          std::span<const schema::Conversation> conversations,
                          const model::Int8Rule& rule, std::string_view where, ThreadPool& pool);

}  // namespace laurel::scoring
