#include "laurel/scoring/int8_plan.h"

#include <vector>

#include "laurel/base/error.h"
#include "laurel/base/progress.h"
#include "laurel/model/int8_calibration.h"
#include "laurel/scoring/calibration_text.h"
#include "laurel/scoring/encode.h"

namespace laurel::scoring {

namespace {

constexpr std::int64_t kMaxTokens = 8192;  // one pack: the text is seen as a whole

}  // namespace

model::Int8Plan plan_int8(const model::RewardModel& model, const chat::Encoder& encoder,
                          std::span<const schema::Conversation> conversations, double max_error,
                          std::string_view where, ThreadPool& pool) {
  const std::vector<schema::Conversation> built_in = calibration_text();
  if (conversations.empty()) conversations = built_in;
  std::vector<chat::Encoded> items;
  for (const schema::Conversation& conversation : conversations) {
    Result<chat::Encoded> encoded = encode(encoder, model.config().vocab_size, conversation);
    if (!encoded.ok())
      throw UserError("{}: calibration text {}: {}", where, items.size() + 1, encoded.message());
    items.push_back(std::move(encoded.value()));
  }
  std::vector<packing::Sequence> sequences;
  for (const chat::Encoded& item : items) sequences.push_back(sequence_of(item));
  const std::vector<packing::Pack> packs = packing::plan_packs(sequences, {kMaxTokens, true});
  if (packs.size() != 1)
    throw UserError("{}: calibration text: expected at most {} tokens, got more", where,
                    kMaxTokens);
  std::int64_t num_linear = 0;
  for (const model::PlannedTensor& tensor : model.weights().tensors())
    num_linear += tensor.expected.layer >= 0 && tensor.expected.shape.size() == 2 ? 1 : 0;
  Progress progress("quantizing", "linear layers", num_linear);
  return model::plan_int8(model, packs.front(), max_error, pool,
                          [&](std::int64_t done) { progress.update(done); });
}

}  // namespace laurel::scoring
