#include "laurel/scoring/int8_plan.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "laurel/base/error.h"
#include "laurel/base/progress.h"
#include "laurel/model/int8_calibration.h"
#include "laurel/scoring/calibration_text.h"
#include "laurel/scoring/encode.h"

namespace laurel::scoring {

namespace {

constexpr std::int64_t kMaxTokens = 8192;   // one pack: the text is seen as a whole
constexpr std::size_t kPartsOfAnswer = 16;  // at most, besides the whole

// The conversation with its last answer cut after a word, in up to `parts` places.
std::vector<schema::Conversation> cut_short(const schema::Conversation& conversation,
                                            std::size_t parts) {
  const auto* messages = std::get_if<schema::Messages>(&conversation);
  if (messages == nullptr || messages->empty() || messages->back().role != "assistant") return {};
  const std::string& answer = messages->back().content;
  std::vector<std::size_t> ends;
  for (std::size_t i = 1; i < answer.size(); ++i) {
    if (answer[i] == ' ' && answer[i - 1] != ' ') ends.push_back(i);
  }
  parts = std::min(ends.size(), parts);
  std::vector<schema::Conversation> cuts;
  for (std::size_t part = 0; part < parts; ++part) {
    schema::Messages cut = *messages;
    cut.back().content = answer.substr(0, ends[part * ends.size() / parts]);
    cuts.emplace_back(std::move(cut));
  }
  return cuts;
}

// The conversations, whole and cut short: one pack if that is not too long.
std::vector<packing::Pack> pack_text(const model::RewardModel& model, const chat::Encoder& encoder,
                                     std::span<const schema::Conversation> conversations,
                                     std::size_t parts, std::string_view where) {
  std::vector<chat::Encoded> items;
  const auto add = [&](const schema::Conversation& conversation, std::size_t index) {
    Result<chat::Encoded> encoded = encode(encoder, model.config().vocab_size, conversation);
    if (!encoded.ok())
      throw UserError("{}: calibration text {}: {}", where, index + 1, encoded.message());
    items.push_back(std::move(encoded.value()));
  };
  for (std::size_t i = 0; i < conversations.size(); ++i) {
    add(conversations[i], i);
    for (const schema::Conversation& cut : cut_short(conversations[i], parts)) add(cut, i);
  }
  std::vector<packing::Sequence> sequences;
  for (const chat::Encoded& item : items) sequences.push_back(sequence_of(item));
  return packing::plan_packs(sequences, {.max_tokens = kMaxTokens});
}

}  // namespace

model::Int8Plan plan_int8(const model::RewardModel& model, const chat::Encoder& encoder,
                          std::span<const schema::Conversation> conversations,
                          const model::Int8Rule& rule, std::string_view where, ThreadPool& pool) {
  const std::vector<schema::Conversation> built_in = calibration_text();
  if (conversations.empty()) conversations = built_in;
  std::size_t parts = kPartsOfAnswer;
  std::vector<packing::Pack> packs = pack_text(model, encoder, conversations, parts, where);
  while (packs.size() != 1 && parts > 0)
    packs = pack_text(model, encoder, conversations, parts /= 2, where);
  if (packs.size() != 1)
    throw UserError("{}: calibration text: expected at most {} tokens, got more", where,
                    kMaxTokens);
  std::int64_t num_linear = 0;
  for (const model::PlannedTensor& tensor : model.weights().tensors())
    num_linear += tensor.expected.layer >= 0 && tensor.expected.shape.size() == 2 ? 1 : 0;
  Progress progress("quantizing", "linear layers", num_linear);
  return model::plan_int8(model, packs.front(), rule, pool,
                          [&](std::int64_t done) { progress.update(done); });
}

}  // namespace laurel::scoring
