#include "laurel/scoring/encode.h"

#include <fmt/format.h>

namespace laurel::scoring {

Result<chat::Encoded> encode(const chat::Encoder& encoder, std::int64_t vocab_size,
                             const schema::Conversation& conversation) {
  Result<chat::Encoded> encoded = [&] {
    if (const auto* messages = std::get_if<schema::Messages>(&conversation))
      return encoder.encode(*messages);
    if (const auto* text = std::get_if<std::string>(&conversation))
      return encoder.encode_text(*text);
    return encoder.encode_ids(std::get<std::vector<std::int32_t>>(conversation));
  }();
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

Result<std::string> render(const chat::Encoder& encoder, const schema::Conversation& conversation) {
  if (const auto* messages = std::get_if<schema::Messages>(&conversation))
    return encoder.render(*messages);
  if (const auto* text = std::get_if<std::string>(&conversation)) return *text;
  return std::string();
}

packing::Sequence sequence_of(const chat::Encoded& item) {
  const auto first = static_cast<std::size_t>(item.num_masked);
  const auto last = static_cast<std::size_t>(item.scored_index);
  return {std::span(item.ids).subspan(first, last + 1 - first),
          static_cast<std::int32_t>(item.num_masked)};
}

}  // namespace laurel::scoring
