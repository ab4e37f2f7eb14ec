// Conversation to token ids: the one way in, for training and scoring alike.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "laurel/base/json.h"
#include "laurel/base/result.h"
#include "laurel/schema/conversation.h"
#include "laurel/schema/scoring_rule.h"
#include "laurel/tokenizer/tokenizer.h"

namespace laurel::chat {

enum class RuleName { kTransformers, kRewardBench };

// What the caller may change of the rule; the rest follows from the checkpoint.
struct RuleOptions {
  RuleName rule = RuleName::kTransformers;
  std::optional<std::int64_t> max_length;
  std::optional<schema::TruncationSide> truncation;
  schema::ComputeType compute = schema::ComputeType::kF32;
  std::string template_file;                 // overrides the checkpoint's chat template
  std::optional<std::string> template_date;  // "YYYY-MM-DD" for templates that print today's date
};

// A conversation as the model sees it.
struct Encoded {
  std::string text;  // rendered text that was tokenized; empty for input given as ids
  std::vector<tokenizer::TokenId> ids;  // after truncation, masked leading token included
  std::int64_t num_masked = 0;          // leading tokens hidden from attention (0 or 1)
  std::int64_t scored_index = 0;        // index in ids that the reward is read at
  std::int64_t num_dropped = 0;         // tokens cut by truncation
  bool truncated() const { return num_dropped > 0; }
};

// Immutable; thread-safe.
class Encoder {
 public:
  // `directory`: the checkpoint's; config_pad_token_id: pad_token_id of its config.json. Reads
  // chat_template.jinja or tokenizer_config.json's chat_template.
  Encoder(const std::filesystem::path& directory,
          std::shared_ptr<const tokenizer::Tokenizer> tokenizer,
          std::optional<std::int32_t> config_pad_token_id, const RuleOptions& options);
  ~Encoder();
  Encoder(Encoder&&) noexcept;

  const schema::ScoringRule& rule() const;
  const tokenizer::Tokenizer& tokenizer() const;

  // Failures: no template, a template's raise_exception, invalid UTF-8, too long under
  // TruncationSide::kError, nothing left to score.
  // `variables`: an object of further template variables (tools, add_generation_prompt, …), which
  // win over the usual ones.
  Result<Encoded> encode(const schema::Messages& messages,
                         const Json& variables = Json::object()) const;
  Result<Encoded> encode_text(std::string_view text) const;               // already rendered
  Result<Encoded> encode_ids(std::vector<tokenizer::TokenId> ids) const;  // scored as given
  // The rendered text only.
  Result<std::string> render(const schema::Messages& messages,
                             const Json& variables = Json::object()) const;
  // A conversation of any of the three forms, and the text that the model sees of it: empty for
  // token ids.
  Result<Encoded> encode_conversation(const schema::Conversation& conversation) const;
  Result<std::string> render_conversation(const schema::Conversation& conversation) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace laurel::chat
