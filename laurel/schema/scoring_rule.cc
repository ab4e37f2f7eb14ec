#include "laurel/schema/scoring_rule.h"

#include <fmt/format.h>

namespace laurel::schema {

std::string_view to_string(TruncationSide side) {
  switch (side) {
    case TruncationSide::kError:
      return "error";
    case TruncationSide::kLeft:
      return "left";
    case TruncationSide::kRight:
      return "right";
  }
  return "?";
}

std::string_view to_string(ComputeType compute) {
  switch (compute) {
    case ComputeType::kF32:
      return "f32";
    case ComputeType::kBF16:
      return "bf16";
    case ComputeType::kInt8:
      return "int8";
  }
  return "?";
}

Json to_json(const ScoringRule& rule) {
  Json json;
  json["name"] = rule.name;
  json["template_source"] = rule.template_source;
  json["template_hash"] = rule.template_hash;
  json["template_date"] = rule.template_date ? Json(*rule.template_date) : Json();
  json["special_tokens"] = rule.special_tokens == SpecialTokens::kAdded ? "added" : "template only";
  json["text_special_tokens"] = "added";  // of {"text": …} rows, under both rules
  json["double_bos"] = rule.double_bos == DoubleBos::kMaskFirst ? "mask first" : "drop";
  json["pad_token_id"] = rule.pad_token_id ? Json(*rule.pad_token_id) : Json();
  json["pad_source"] = rule.pad_source;
  json["last_token"] =
      rule.pad_token_id ? "rightmost token that is not the pad token" : "last token";
  json["truncation"] = to_string(rule.truncation);
  json["max_length"] = rule.max_length > 0 ? Json(rule.max_length) : Json();
  json["compute"] = to_string(rule.compute);
  json["reward_rounding"] = rule.rounding == RewardRounding::kF16 ? "f16" : "none";
  return json;
}

namespace {

const char* compute_text(ComputeType compute) {
  switch (compute) {
    case ComputeType::kF32:
      return "Computed in float32";
    case ComputeType::kBF16:
      return "Computed with bfloat16 rounding";
    case ComputeType::kInt8:
      return "Computed with linear layers in int8, the rest in float32";
  }
  return "?";
}

}  // namespace

std::string describe(const ScoringRule& rule) {
  std::string text = fmt::format("Rule \"{}\". ", rule.name);
  if (rule.template_source.empty()) {
    text += "No chat template. ";
  } else {
    text += fmt::format("Chat template from {} (hash {}). ", rule.template_source,
                        rule.template_hash.substr(0, 12));
  }
  if (rule.template_date) {
    text += fmt::format("The template prints today's date, which is frozen to {}. ",
                        *rule.template_date);
  }
  if (rule.special_tokens == SpecialTokens::kTemplateOnly) {
    text +=
        "Messages get no special tokens beyond those the template writes, plain text gets the "
        "tokenizer's. ";
  } else if (rule.double_bos == DoubleBos::kMaskFirst) {
    text +=
        "The tokenizer's special tokens are added; of two BOS the first is hidden from attention. ";
  } else {
    text += "The tokenizer's special tokens are added, but never a second BOS. ";
  }
  if (rule.pad_token_id) {
    text +=
        fmt::format("The reward is read at the last token that is not the pad token {} (from {}). ",
                    *rule.pad_token_id, rule.pad_source);
  } else {
    text += "The reward is read at the last token (no pad token). ";
  }
  if (rule.max_length == 0) {
    text += "No length limit. ";
  } else if (rule.truncation == TruncationSide::kError) {
    text += fmt::format("More than {} tokens is an error. ", rule.max_length);
  } else {
    text += fmt::format("At most {} tokens, cut on the {}. ", rule.max_length,
                        to_string(rule.truncation));
  }
  text += compute_text(rule.compute);
  text += rule.rounding == RewardRounding::kF16 ? ", reward rounded to float16." : ".";
  return text;
}

}  // namespace laurel::schema
