#include "laurel/chat/encoder.h"

#include <algorithm>
#include <utility>

#include "laurel/base/error.h"
#include "laurel/base/hash.h"
#include "laurel/chat/chat_template.h"
#include "laurel/chat/checkpoint_template.h"
#include "laurel/chat/jinja/builtins.h"
#include "laurel/chat/jinja/problem.h"

namespace laurel::chat {
namespace {

using tokenizer::TokenId;
using tokenizer::Tokenizer;

constexpr const char* kDefaultDate = "2024-07-26";  // what Llama 3.1's own template prints
constexpr std::int64_t kRewardBenchMaxLength = 2048;

// What the tokenizer's post-processor puts around a text.
struct SpecialIds {
  std::vector<TokenId> before, after;
  std::int64_t size() const { return static_cast<std::int64_t>(before.size() + after.size()); }
};

// Found by encoding a short text with and without them.
SpecialIds find_special_ids(const Tokenizer& tokenizer) {
  const std::vector<TokenId> bare =
      tokenizer.encode("a", {.add_special_tokens = false}).value_or_throw();
  const std::vector<TokenId> full =
      tokenizer.encode("a", {.add_special_tokens = true}).value_or_throw();
  const auto found = std::search(full.begin(), full.end(), bare.begin(), bare.end());
  if (found == full.end())
    throw UserError("tokenizer: its special tokens cannot be told from the text's");
  return {{full.begin(), found}, {found + static_cast<std::ptrdiff_t>(bare.size()), full.end()}};
}

schema::TruncationSide tokenizer_side(const Tokenizer& tokenizer) {
  const auto side =
      get_string(tokenizer.config(), "truncation_side", "tokenizer_config.json").value_or("right");
  if (side == "right") return schema::TruncationSide::kRight;
  if (side == "left") return schema::TruncationSide::kLeft;
  throw UserError("tokenizer_config.json: truncation_side: expected left or right, got {}", side);
}

// Cuts ids to `room` tokens. The number of tokens cut.
std::int64_t truncate(std::vector<TokenId>& ids, std::int64_t room, schema::TruncationSide side) {
  const std::int64_t excess = static_cast<std::int64_t>(ids.size()) - room;
  if (excess <= 0) return 0;
  if (side == schema::TruncationSide::kLeft) {
    ids.erase(ids.begin(), ids.begin() + excess);
  } else {
    ids.resize(static_cast<std::size_t>(room));
  }
  return excess;
}

}  // namespace

struct Encoder::Impl {
  std::shared_ptr<const Tokenizer> tokenizer;
  schema::ScoringRule rule;
  std::optional<ChatTemplate> chat_template;
  std::string date;
  SpecialIds special;
  std::optional<TokenId> bos;
  Json template_variables;  // all but the messages

  void load_template(const std::filesystem::path& directory, const RuleOptions& options) {
    date = options.template_date.value_or(kDefaultDate);
    try {
      jinja::format_date(date, "");
    } catch (const jinja::Problem& problem) {
      throw UserError(problem.text);
    }
    const auto found = find_template(directory, tokenizer->config(), options.template_file);
    if (!found) return;
    chat_template = ChatTemplate::parse(found->text, found->source);
    rule.template_source = found->source;
    rule.template_hash = fingerprint(found->text);
    if (chat_template->uses_date()) rule.template_date = date;
  }

  // What apply_chat_template passes besides the messages.
  void collect_variables() {
    template_variables = {
        {"tools", nullptr}, {"documents", nullptr}, {"add_generation_prompt", false}};
    for (const char* role : {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token",
                             "cls_token", "mask_token"}) {
      if (const auto& token = tokenizer->special_token(role)) template_variables[role] = *token;
    }
  }

  void set_pad_rule(std::optional<std::int32_t> config_pad, RuleName name) {
    const auto tokenizer_pad = tokenizer->special_token_id("pad_token");
    if (name == RuleName::kRewardBench && !tokenizer_pad) {
      rule.pad_token_id = tokenizer->special_token_id("eos_token");
      rule.pad_source = rule.pad_token_id ? "eos token" : "none";
    } else if (config_pad) {
      rule.pad_token_id = config_pad;
      rule.pad_source = "config.json";
    } else if (name == RuleName::kRewardBench) {
      rule.pad_token_id = tokenizer_pad;
      rule.pad_source = "tokenizer";
    } else {
      rule.pad_source = "none";
    }
  }

  void set_length_rule(const RuleOptions& options) {
    const bool reward_bench = options.rule == RuleName::kRewardBench;
    rule.max_length = options.max_length.value_or(reward_bench ? kRewardBenchMaxLength : 0);
    if (rule.max_length < 0)
      throw UserError("max length: expected a positive number, got {}", rule.max_length);
    rule.truncation = options.truncation.value_or(reward_bench ? tokenizer_side(*tokenizer)
                                                               : schema::TruncationSide::kError);
    if (rule.max_length > 0 && rule.max_length <= special.size()) {
      throw UserError(
          "max length: no room for text beside the tokenizer's special tokens, expected more than "
          "{}, got {}",
          special.size(), rule.max_length);
    }
  }

  // The scored position of ids that are final.
  std::int64_t scored_index(const std::vector<TokenId>& ids) const {
    std::size_t index = ids.size() - 1;
    if (rule.pad_token_id) {
      while (index > 0 && ids[index] == *rule.pad_token_id) --index;
    }
    return static_cast<std::int64_t>(index);
  }

  // `content` with `around` it, cut to the rule's length as `tokenizers` does it: the special
  // tokens always stay.
  Result<Encoded> finish(std::vector<TokenId> content, const SpecialIds& around,
                         std::string text) const {
    Encoded encoded;
    encoded.text = std::move(text);
    if (rule.max_length > 0) {
      const std::int64_t length = static_cast<std::int64_t>(content.size()) + around.size();
      if (length > rule.max_length && rule.truncation == schema::TruncationSide::kError) {
        return Failure{
            fmt::format("the conversation is too long, expected at most {} tokens, got {}; "
                        "--truncation left or right cuts it",
                        rule.max_length, length)};
      }
      encoded.num_dropped = truncate(content, rule.max_length - around.size(), rule.truncation);
    }
    encoded.ids = around.before;
    encoded.ids.insert(encoded.ids.end(), content.begin(), content.end());
    encoded.ids.insert(encoded.ids.end(), around.after.begin(), around.after.end());
    if (encoded.ids.empty())
      return Failure{"there is nothing to score, expected at least one token, got none"};
    encoded.scored_index = scored_index(encoded.ids);
    return encoded;
  }

  bool starts_with_bos(const std::vector<TokenId>& ids, std::size_t at = 0) const {
    return bos && ids.size() > at && ids[at] == *bos;
  }

  Result<Encoded> finish_with_special_tokens(std::vector<TokenId> content, std::string text) const {
    if (rule.double_bos == schema::DoubleBos::kDrop && starts_with_bos(special.before) &&
        starts_with_bos(content)) {
      content.erase(content.begin());
    }
    Result<Encoded> encoded = finish(std::move(content), special, std::move(text));
    if (encoded.ok() && rule.double_bos == schema::DoubleBos::kMaskFirst) {
      const std::vector<TokenId>& ids = encoded.value().ids;
      if (starts_with_bos(ids) && starts_with_bos(ids, 1)) encoded.value().num_masked = 1;
    }
    return encoded;
  }
};

Encoder::Encoder(const std::filesystem::path& directory, std::shared_ptr<const Tokenizer> tokenizer,
                 std::optional<std::int32_t> config_pad_token_id, const RuleOptions& options)
    : impl_(std::make_unique<Impl>()) {
  Impl& impl = *impl_;
  impl.tokenizer = std::move(tokenizer);
  impl.bos = impl.tokenizer->special_token_id("bos_token");
  impl.special = find_special_ids(*impl.tokenizer);
  schema::ScoringRule& rule = impl.rule;
  rule.compute = options.compute;
  if (options.rule == RuleName::kRewardBench) {
    rule.name = "reward-bench";
    rule.special_tokens = schema::SpecialTokens::kAdded;
    rule.double_bos = schema::DoubleBos::kMaskFirst;
    rule.rounding = schema::RewardRounding::kF16;
  }
  impl.load_template(directory, options);
  impl.collect_variables();
  impl.set_pad_rule(config_pad_token_id, options.rule);
  impl.set_length_rule(options);
}

Encoder::~Encoder() = default;
Encoder::Encoder(Encoder&&) noexcept = default;

const schema::ScoringRule& Encoder::rule() const { return impl_->rule; }
const Tokenizer& Encoder::tokenizer() const { return *impl_->tokenizer; }

Result<std::string> Encoder::render(const schema::Messages& messages, const Json& more) const {
  if (!impl_->chat_template) {
    return Failure{
        "the checkpoint has no chat template, expected chat_template.jinja or chat_template in "
        "tokenizer_config.json, got neither; --chat-template FILE gives one"};
  }
  Json variables = impl_->template_variables;
  for (const auto& [name, value] : more.items()) variables[name] = value;
  Json& list = variables["messages"] = Json::array();
  for (const schema::Message& message : messages) list.push_back(to_json(message));
  ChatTemplate::RenderOptions options;
  options.date = impl_->date;
  try {
    return impl_->chat_template->render(variables, options);
  } catch (const UserError& error) {
    return Failure{error.what()};
  }
}

Result<Encoded> Encoder::encode(const schema::Messages& messages, const Json& variables) const {
  Result<std::string> text = render(messages, variables);
  if (!text.ok()) return Failure{text.message()};
  auto ids = impl_->tokenizer->encode(text.value(), {.add_special_tokens = false});
  if (!ids.ok()) return Failure{ids.message()};
  if (impl_->rule.special_tokens == schema::SpecialTokens::kAdded) {
    return impl_->finish_with_special_tokens(std::move(ids).value(), std::move(text).value());
  }
  return impl_->finish(std::move(ids).value(), {}, std::move(text).value());
}

Result<Encoded> Encoder::encode_text(std::string_view text) const {
  auto ids = impl_->tokenizer->encode(text, {.add_special_tokens = false});
  if (!ids.ok()) return Failure{ids.message()};
  return impl_->finish_with_special_tokens(std::move(ids).value(), std::string(text));
}

Result<Encoded> Encoder::encode_ids(std::vector<TokenId> ids) const {
  return impl_->finish(std::move(ids), {}, "");
}

Result<Encoded> Encoder::encode_conversation(const schema::Conversation& conversation) const {
  if (const auto* messages = std::get_if<schema::Messages>(&conversation)) return encode(*messages);
  if (const auto* text = std::get_if<std::string>(&conversation)) return encode_text(*text);
  return encode_ids(std::get<std::vector<TokenId>>(conversation));
}

Result<std::string> Encoder::render_conversation(const schema::Conversation& conversation) const {
  if (const auto* messages = std::get_if<schema::Messages>(&conversation)) return render(*messages);
  if (const auto* text = std::get_if<std::string>(&conversation)) return *text;
  return std::string();
}

}  // namespace laurel::chat
