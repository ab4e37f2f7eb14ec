// A text of our own on which int8 is calibrated when the user gives none.
#pragma once

#include <vector>

#include "laurel/schema/conversation.h"

namespace laurel::scoring {

// Conversations of several kinds, good and bad answers, some two thousand tokens in all. Changing
// them changes the rewards of every model that is calibrated on them.
std::vector<schema::Conversation> calibration_text();

}  // namespace laurel::scoring
