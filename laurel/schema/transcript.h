// Conversations written as one text: "\n\nHuman: … \n\nAssistant: …", as in the HH data.
#pragma once

#include <string_view>

#include "laurel/schema/conversation.h"

namespace laurel::schema {

// Whether the text begins with a "Human:" turn.
bool is_transcript(std::string_view text);

// The turns, each stripped of surrounding white space. Precondition: is_transcript(text). Throws
// UserError beginning with `where` when there is no "Assistant:" turn.
Messages parse_transcript(std::string_view text, std::string_view where);

}  // namespace laurel::schema
