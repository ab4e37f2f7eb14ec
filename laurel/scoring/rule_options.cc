#include "laurel/scoring/rule_options.h"

#include "laurel/base/error.h"

namespace laurel::scoring {

chat::RuleOptions rule_options(const ScorerOptions& options) {
  chat::RuleOptions rule;
  if (options.rule == "reward-bench") {
    rule.rule = chat::RuleName::kRewardBench;
  } else if (options.rule != "transformers") {
    throw UserError("option rule: unknown rule, expected transformers or reward-bench, got {}",
                    options.rule);
  }
  if (options.max_length < 0)
    throw UserError("option max-length: expected a positive number, got {}", options.max_length);
  if (options.max_length > 0) rule.max_length = options.max_length;
  if (options.truncation == "error") {
    rule.truncation = schema::TruncationSide::kError;
  } else if (options.truncation == "left") {
    rule.truncation = schema::TruncationSide::kLeft;
  } else if (options.truncation == "right") {
    rule.truncation = schema::TruncationSide::kRight;
  } else if (!options.truncation.empty()) {
    throw UserError("option truncation: expected error, left or right, got {}", options.truncation);
  }
  if (options.dtype == "bf16") {
    rule.compute = schema::ComputeType::kBF16;
  } else if (options.dtype == "int8") {
    rule.compute = schema::ComputeType::kInt8;
  } else if (!options.dtype.empty() && options.dtype != "f32") {
    throw UserError("option dtype: expected f32, bf16 or int8, got {}", options.dtype);
  }
  rule.template_file = options.template_file;
  if (!options.template_date.empty()) rule.template_date = options.template_date;
  return rule;
}

chat::RuleOptions rule_options(const ScorerOptions& options, const model::ModelConfig& config) {
  chat::RuleOptions rule = rule_options(options);
  if (!config.int8_pack) return rule;
  if (!options.dtype.empty() && options.dtype != "int8") {
    throw UserError("option dtype: {} is an int8 pack, expected int8, got {}", options.model,
                    options.dtype);
  }
  rule.compute = schema::ComputeType::kInt8;
  return rule;
}

}  // namespace laurel::scoring
