// The encoder against transformers on small checkpoints (tools/goldens/chat_encoder.py), and its
// own choices.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>

#include "laurel/base/file.h"
#include "laurel/chat/encoder.h"

namespace laurel::chat {
namespace {

namespace fs = std::filesystem;
using tokenizer::TokenId;
using tokenizer::Tokenizer;

const Json& golden() {
  static const Json json =
      read_json_file(fs::path(LAUREL_SOURCE_DIR) / "tests/goldens/chat/encoder.json");
  return json;
}

// A checkpoint directory with the files of a golden checkpoint.
class Checkpoint {
 public:
  explicit Checkpoint(const Json& files)
      : directory_(fs::path(testing::TempDir()) / unique_name()) {
    fs::create_directories(directory_);
    for (const auto& [name, text] : files.items())
      write_file(directory_ / name, text.get<std::string>());
  }
  ~Checkpoint() { fs::remove_all(directory_); }
  Checkpoint(const Checkpoint&) = delete;
  Checkpoint& operator=(const Checkpoint&) = delete;

  const fs::path& directory() const { return directory_; }
  void add(const std::string& name, std::string_view text) const {
    write_file(directory_ / name, text);
  }
  Encoder encoder(const RuleOptions& options = {},
                  std::optional<std::int32_t> config_pad = std::nullopt) const {
    return Encoder(directory_, std::make_shared<Tokenizer>(Tokenizer::load(directory_)), config_pad,
                   options);
  }

 private:
  static std::string unique_name() {
    static int count = 0;
    return fmt::format("laurel_encoder_{}_{}", getpid(), ++count);
  }
  fs::path directory_;
};

const Json& files_of(std::string_view name) {
  for (const Json& checkpoint : golden()["checkpoints"]) {
    if (checkpoint["name"].get<std::string>().starts_with(std::string(name) + ","))
      return checkpoint["files"];
  }
  throw InternalError("no golden checkpoint");
}

schema::Messages chat(std::string content = "Hi") {
  return {{"user", std::move(content), Json::object()}};
}

std::string error_of(const auto& make) {
  try {
    make();
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

RuleOptions options_of(const Json& one) {
  RuleOptions options;
  if (one["rule"] == "reward-bench") options.rule = RuleName::kRewardBench;
  if (one.contains("length") && !one["length"].is_null())
    options.max_length = one["length"].get<std::int64_t>();
  if (one.contains("side")) {
    options.truncation =
        one["side"] == "left" ? schema::TruncationSide::kLeft : schema::TruncationSide::kRight;
  }
  return options;
}

TEST(Encoder, AgreesWithTransformers) {
  std::size_t num_cases = 0;
  for (const Json& item : golden()["checkpoints"]) {
    const Checkpoint checkpoint(item["files"]);
    std::optional<std::int32_t> pad;
    if (!item["config_pad"].is_null()) pad = item["config_pad"].get<std::int32_t>();
    for (const Json& one : item["cases"]) {
      SCOPED_TRACE(item["name"].get<std::string>() + ": " + to_line(one).substr(0, 300));
      const Encoder encoder = checkpoint.encoder(options_of(one), pad);
      const auto encoded = one.contains("messages")
                               ? encoder.encode(schema::messages_from_json(one["messages"], "case"))
                               : encoder.encode_text(one["input"].get<std::string>());
      ++num_cases;
      const auto ids = one["ids"].get<std::vector<TokenId>>();
      if (ids.empty()) {
        EXPECT_FALSE(encoded.ok());
        continue;
      }
      ASSERT_TRUE(encoded.ok()) << encoded.message();
      EXPECT_EQ(encoded.value().ids, ids);
      EXPECT_EQ(encoded.value().text, one["text"].get<std::string>());
      EXPECT_EQ(encoded.value().num_masked, one["masked"].get<std::int64_t>());
      EXPECT_EQ(encoded.value().scored_index, one["scored"].get<std::int64_t>());
    }
  }
  EXPECT_GT(num_cases, 500u);
}

TEST(Encoder, GivenIdsAreScoredAsTheyAre) {
  const Checkpoint checkpoint(files_of("bos and eos"));
  RuleOptions options;
  options.max_length = 3;
  options.truncation = schema::TruncationSide::kLeft;
  const Encoder encoder = checkpoint.encoder(options, 258);
  const Encoded encoded = encoder.encode_ids({256, 256, 1, 2, 258}).value_or_throw();
  EXPECT_EQ(encoded.ids, (std::vector<TokenId>{1, 2, 258}));
  EXPECT_EQ(encoded.scored_index, 1);
  EXPECT_EQ(encoded.num_masked, 0);
  EXPECT_EQ(encoded.num_dropped, 2);
  EXPECT_TRUE(encoded.truncated());
  EXPECT_EQ(encoded.text, "");
  EXPECT_EQ(encoder.encode_ids({}).message(),
            "there is nothing to score, expected at least one token, got none");
}

TEST(Encoder, RefusesWhatIsTooLongByDefault) {
  const Checkpoint checkpoint(files_of("bos"));
  RuleOptions options;
  options.max_length = 5;
  EXPECT_EQ(checkpoint.encoder(options).encode(chat()).message(),
            "the conversation is too long, expected at most 5 tokens, got 10; --truncation left or "
            "right cuts it");
  EXPECT_TRUE(checkpoint.encoder(options).encode_ids({1, 2, 3, 4, 5}).ok());
}

TEST(Encoder, StatesItsRule) {
  const Checkpoint checkpoint(files_of("bos"));
  const Encoder plain = checkpoint.encoder({}, 258);
  EXPECT_EQ(plain.rule().name, "transformers");
  EXPECT_EQ(plain.rule().template_source, "tokenizer_config.json");
  EXPECT_EQ(plain.rule().template_hash.size(), 32u);
  EXPECT_EQ(plain.rule().template_date, std::nullopt);
  EXPECT_EQ(plain.rule().pad_source, "config.json");
  EXPECT_EQ(plain.rule().max_length, 0);
  RuleOptions options;
  options.rule = RuleName::kRewardBench;
  const schema::ScoringRule rule = checkpoint.encoder(options).rule();
  EXPECT_EQ(rule.name, "reward-bench");
  EXPECT_EQ(rule.pad_token_id, 258);
  EXPECT_EQ(rule.pad_source, "tokenizer");
  EXPECT_EQ(rule.max_length, 2048);
  EXPECT_EQ(rule.truncation, schema::TruncationSide::kRight);
  EXPECT_EQ(rule.special_tokens, schema::SpecialTokens::kAdded);
  EXPECT_EQ(rule.double_bos, schema::DoubleBos::kMaskFirst);
  EXPECT_EQ(rule.rounding, schema::RewardRounding::kF16);
  EXPECT_EQ(Checkpoint(files_of("no pad")).encoder(options, 258).rule().pad_source, "eos token");
  EXPECT_EQ(Checkpoint(files_of("no pad")).encoder(options, 258).rule().pad_token_id, 257);
  EXPECT_EQ(Checkpoint(files_of("left")).encoder(options).rule().truncation,
            schema::TruncationSide::kLeft);
}

TEST(Encoder, ChoosesTheTemplate) {
  const Checkpoint checkpoint(files_of("bos"));
  EXPECT_EQ(checkpoint.encoder().render(chat()).value(), "<s>[user]Hi</s>");
  checkpoint.add("chat_template.jinja", "file {{ messages[0].content }}\n");
  EXPECT_EQ(checkpoint.encoder().render(chat()).value(), "file Hi");
  EXPECT_EQ(checkpoint.encoder().rule().template_source, "chat_template.jinja");
  checkpoint.add("mine.jinja", "mine");
  RuleOptions options;
  options.template_file = checkpoint.directory() / "mine.jinja";
  EXPECT_EQ(checkpoint.encoder(options).render(chat()).value(), "mine");
  EXPECT_EQ(Checkpoint(files_of("template list")).encoder().render(chat()).value(), "[user]Hi");
}

TEST(Encoder, FreezesTheDate) {
  const Checkpoint checkpoint(files_of("bos"));
  checkpoint.add("chat_template.jinja", "{{ strftime_now('%d %b %Y') }}");
  EXPECT_EQ(checkpoint.encoder().render(chat()).value(), "26 Jul 2024");
  EXPECT_EQ(checkpoint.encoder().rule().template_date, "2024-07-26");
  RuleOptions options;
  options.template_date = "2025-01-31";
  EXPECT_EQ(checkpoint.encoder(options).render(chat()).value(), "31 Jan 2025");
  EXPECT_EQ(checkpoint.encoder(options).rule().template_date, "2025-01-31");
  options.template_date = "2025-02-29";
  EXPECT_EQ(error_of([&] { checkpoint.encoder(options); }),
            "template date: expected YYYY-MM-DD, got '2025-02-29'");
}

TEST(Encoder, SaysWhyItCannotEncode) {
  const Checkpoint checkpoint(files_of("bos"));
  EXPECT_EQ(checkpoint.encoder().encode(chat("\xff")).message(),
            "tokenizer_config.json: line 1: a string holds invalid UTF-8 at byte 0");
  EXPECT_FALSE(checkpoint.encoder().encode_text("\xff").ok());
  checkpoint.add("chat_template.jinja", "\n{{ raise_exception('no ' + messages[0].role) }}");
  EXPECT_EQ(checkpoint.encoder().encode(chat()).message(), "chat_template.jinja: line 2: no user");
  checkpoint.add("chat_template.jinja", "{{ ");
  EXPECT_EQ(error_of([&] { checkpoint.encoder(); }),
            "chat_template.jinja: line 1: the template ends inside a tag, expected '}}'");
  const auto with_config = [&](std::string_view config) {
    fs::remove(checkpoint.directory() / "chat_template.jinja");
    checkpoint.add("tokenizer_config.json", config);
  };
  with_config(R"({"tokenizer_class": "PreTrainedTokenizerFast"})");
  EXPECT_EQ(checkpoint.encoder().encode(chat()).message(),
            "the checkpoint has no chat template, expected chat_template.jinja or chat_template in "
            "tokenizer_config.json, got neither; --chat-template FILE gives one");
  with_config(R"({"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": 5})");
  EXPECT_EQ(error_of([&] { checkpoint.encoder(); }),
            "tokenizer_config.json: chat_template: expected a string or a list, got number");
  with_config(R"({"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": [5]})");
  EXPECT_EQ(error_of([&] { checkpoint.encoder(); }),
            "tokenizer_config.json: chat_template: expected objects in the list, got number");
  RuleOptions options;
  options.rule = RuleName::kRewardBench;
  with_config(R"({"tokenizer_class": "PreTrainedTokenizerFast", "truncation_side": "up"})");
  EXPECT_EQ(error_of([&] { checkpoint.encoder(options); }),
            "tokenizer_config.json: truncation_side: expected left or right, got up");
  options.max_length = 1;
  with_config(R"({"tokenizer_class": "PreTrainedTokenizerFast"})");
  EXPECT_EQ(error_of([&] { checkpoint.encoder(options); }),
            "max length: no room for text beside the tokenizer's special tokens, expected more "
            "than 1, got 1");
  options.max_length = -1;
  EXPECT_EQ(error_of([&] { checkpoint.encoder(options); }),
            "max length: expected a positive number, got -1");
}

}  // namespace
}  // namespace laurel::chat
