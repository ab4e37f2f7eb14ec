#include "laurel/scoring/encode.h"

#include <fmt/format.h>

namespace laurel::scoring {

Result<chat::Encoded> encode(const chat::Encoder& encoder, std::int64_t vocab_size,
                             const schema::Conversation& conversation) {
  Result<chat::Encoded> encoded = encoder.encode_conversation(conversation);
  if (!encoded.ok()) return encoded;
  for (const tokenizer::TokenId id : encoded.value().ids) {
    if (id < 0 || id >= vocab_size) {
      return Failure{
          fmt::format("token id {} is outside the model's vocabulary of {}", id, vocab_size)};
    }
  }
  if (encoded.value().scored_index < encoded.value().num_masked) {
    return Failure{"the scored position is hidden from attention"};
  }
  return encoded;
}

packing::Sequence sequence_of(const chat::Encoded& item) {
  const auto first = static_cast<std::size_t>(item.num_masked);
  const auto last = static_cast<std::size_t>(item.scored_index);
  return {std::span(item.ids).subspan(first, last + 1 - first),
          static_cast<std::int32_t>(item.num_masked)};
}

}  // namespace laurel::scoring
