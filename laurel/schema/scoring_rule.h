// Everything between a conversation and its reward that is not a weight. Part of every output.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "laurel/base/json.h"

namespace laurel::schema {

enum class TruncationSide { kError, kLeft, kRight };
// How rewards are computed: in float32; rounded to bfloat16 where transformers in bfloat16 rounds;
// or in float32 with linear layers in int8.
enum class ComputeType { kF32, kBF16, kInt8 };
// What a reward is rounded to before it is reported and compared.
enum class RewardRounding { kNone, kF16 };
// Who writes special tokens around the text: nobody beyond the template, or the tokenizer's
// post-processor too.
enum class SpecialTokens { kTemplateOnly, kAdded };
// What happens when template and tokenizer both write BOS: the second is not added, or both stay
// and the first is hidden from attention (positions stay, as the reward-bench runner does it).
enum class DoubleBos { kDrop, kMaskFirst };

struct ScoringRule {
  std::string name = "transformers";  // or "reward-bench"
  std::string template_source;        // file or key that the chat template came from; empty if none
  std::string template_hash;          // fingerprint of the template's text
  std::optional<std::string>
      template_date;  // "2024-07-26": set for a template that prints today's date
  SpecialTokens special_tokens = SpecialTokens::kTemplateOnly;
  DoubleBos double_bos = DoubleBos::kDrop;
  // The scored position is the last token that is not pad_token_id; without a pad token, the last
  // one.
  std::optional<std::int32_t> pad_token_id;
  std::string pad_source;  // "config.json", "tokenizer", "eos token", "none"
  TruncationSide truncation = TruncationSide::kError;
  std::int64_t max_length = 0;  // tokens; 0 means no limit
  ComputeType compute = ComputeType::kF32;
  RewardRounding rounding = RewardRounding::kNone;
};

Json to_json(const ScoringRule& rule);
std::string_view to_string(TruncationSide side);  // "error", "left", "right"
std::string_view to_string(ComputeType compute);  // "f32", "bf16", "int8"

// A few sentences for people: what is tokenized how, which position is scored and why.
std::string describe(const ScoringRule& rule);

}  // namespace laurel::schema
