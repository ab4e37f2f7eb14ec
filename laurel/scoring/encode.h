// From a conversation to what a model computes.
#pragma once

#include <cstdint>

#include "laurel/base/result.h"
#include "laurel/chat/encoder.h"
#include "laurel/packing/forest.h"
#include "laurel/schema/conversation.h"

namespace laurel::scoring {

// Fails as the encoder does, and for token ids outside of the vocabulary or a scored position that
// is hidden from attention.
Result<chat::Encoded> encode(const chat::Encoder& encoder, std::int64_t vocab_size,
                             const schema::Conversation& conversation);

// The tokens from the first that is not masked up to the scored one; points into `item`.
packing::Sequence sequence_of(const chat::Encoded& item);

}  // namespace laurel::scoring
