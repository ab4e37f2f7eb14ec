// The front door on a tiny checkpoint: what goes in, what comes out, and that company changes
// nothing.
#include "laurel/scoring/scorer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <random>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/base/half.h"
#include "laurel/base/json.h"

namespace laurel::scoring {
namespace {

namespace fs = std::filesystem;

// A tokenizer of single characters: "<s>", "</s>", "<pad>", "<x>", space, then the printable ASCII
// characters from '!'.
constexpr int kFirstCharacter = 5;
constexpr int kNumCharacters = 91;

std::string tokenizer_json() {
  Json vocabulary = {{"<s>", 0}, {"</s>", 1}, {"<x>", 2}, {"<pad>", 3}, {"Ġ", 4}};
  for (int i = 0; i < kNumCharacters; ++i) {
    vocabulary[std::string(1, static_cast<char>('!' + i))] = kFirstCharacter + i;
  }
  Json added = Json::array();
  for (const char* token : {"<s>", "</s>", "<pad>"}) {
    added.push_back({{"id", vocabulary[token]},
                     {"content", token},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  }
  Json json;
  json["version"] = "1.0";
  json["added_tokens"] = added;
  json["normalizer"] = nullptr;
  json["pre_tokenizer"] = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  json["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single", Json::array({{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}},
                              {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}})},
      {"pair", Json::array()},
      {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", {0}}, {"tokens", {"<s>"}}}}}}};
  json["decoder"] = {{"type", "ByteLevel"}};
  json["model"] = {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", Json::array()}};
  return to_line(json);
}

class ScorerTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    directory() = fs::path(testing::TempDir()) / "laurel_scorer_test";
    fs::remove_all(directory());
    fs::copy(fs::path(LAUREL_SOURCE_DIR) / "tests/goldens/model/llama", directory());
    write_file(directory() / "tokenizer.json", tokenizer_json());
    const Json config = {
        {"tokenizer_class", "PreTrainedTokenizerFast"},
        {"bos_token", "<s>"},
        {"eos_token", "</s>"},
        {"pad_token", "<pad>"},
        {"chat_template",
         "{{ bos_token }}{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}"}};
    write_file(directory() / "tokenizer_config.json", to_text(config));
  }
  static void TearDownTestSuite() { fs::remove_all(directory()); }

  static fs::path& directory() {
    static fs::path path;
    return path;
  }
  static ScorerOptions options() {
    ScorerOptions result;
    result.model = directory().string();
    result.num_threads = 2;
    return result;
  }
  static Conversation chat(const std::string& prompt, const std::string& answer) {
    return schema::Messages{{"user", prompt}, {"assistant", answer}};
  }
  static std::vector<float> values(const std::vector<Result<Reward>>& rewards) {
    std::vector<float> result;
    for (const auto& reward : rewards)
      result.push_back(reward.ok() ? reward.value().value : -1e30f);
    return result;
  }
};

TEST_F(ScorerTest, MessagesTextAndIdsAreTheSameConversation) {
  const Scorer scorer(options());
  std::vector<std::int32_t> ids = {0};
  const std::string text = "user:Hi;assistant:Yes!;";
  for (const char c : text) ids.push_back(kFirstCharacter + (c - '!'));
  const std::vector<Conversation> batch = {chat("Hi", "Yes!"), "<s>" + text, text, ids};
  const auto rewards = scorer.score(batch);
  for (const auto& reward : rewards) {
    ASSERT_TRUE(reward.ok()) << reward.message();
    EXPECT_EQ(reward.value().value, rewards[0].value().value);
    EXPECT_EQ(reward.value().num_tokens, static_cast<std::int64_t>(ids.size()));
  }
  EXPECT_EQ(scorer.render(batch[0]).value_or_throw(), "<s>" + text);
}

TEST_F(ScorerTest, ARewardDoesNotDependOnItsCompany) {
  std::vector<Conversation> batch;
  std::mt19937 generator(3);
  for (int prompt = 0; prompt < 5; ++prompt) {
    for (int answer = 0; answer < 4; ++answer) {
      batch.push_back(chat(
          std::string(static_cast<std::size_t>(10 + 31 * prompt), static_cast<char>('a' + prompt)),
          std::string(generator() % 80 + 1, static_cast<char>('m' + answer))));
    }
  }
  const std::vector<float> expected = values(Scorer(options()).score(batch));
  for (const std::int64_t batch_tokens : {1, 64, 700}) {
    for (const bool share : {true, false}) {
      for (const int threads : {1, 2}) {
        ScorerOptions other = options();
        other.batch_tokens = batch_tokens;
        other.share_prefixes = share;
        other.num_threads = threads;
        EXPECT_EQ(values(Scorer(other).score(batch)), expected) << batch_tokens << share << threads;
      }
    }
  }
  const Scorer scorer(options());
  for (std::size_t i = 0; i < batch.size(); ++i) {
    EXPECT_EQ(values(scorer.score(std::span(&batch[i], 1)))[0], expected[i]);
  }
  std::vector<std::size_t> order(batch.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), generator);
  std::vector<Conversation> shuffled;
  for (const std::size_t i : order) shuffled.push_back(batch[i]);
  const std::vector<float> moved = values(scorer.score(shuffled));
  for (std::size_t i = 0; i < order.size(); ++i) EXPECT_EQ(moved[i], expected[order[i]]);
}

TEST_F(ScorerTest, ABadItemFailsAlone) {
  ScorerOptions limited = options();
  limited.max_length = 40;
  const Scorer scorer(limited);
  const std::vector<Conversation> batch = {chat("Hi", "Yes"), chat("Hi", std::string(100, 'x')),
                                           std::string("\xff"), std::vector<std::int32_t>{5, 96}};
  const auto rewards = scorer.score(batch);
  EXPECT_TRUE(rewards[0].ok());
  ASSERT_FALSE(rewards[1].ok());
  EXPECT_NE(rewards[1].message().find("40"), std::string::npos) << rewards[1].message();
  EXPECT_FALSE(rewards[2].ok());
  ASSERT_FALSE(rewards[3].ok());
  EXPECT_EQ(rewards[3].message(), "token id 96 is outside the model's vocabulary of 96");
  EXPECT_EQ(scorer.score(std::span<const Conversation>{}).size(), 0u);
}

TEST_F(ScorerTest, TruncationIsReported) {
  ScorerOptions limited = options();
  limited.max_length = 20;
  limited.truncation = "right";
  const auto rewards =
      Scorer(limited).score(std::vector<Conversation>{chat("Hi", std::string(50, 'x'))});
  ASSERT_TRUE(rewards[0].ok()) << rewards[0].message();
  EXPECT_EQ(rewards[0].value().num_tokens, 20);
  EXPECT_GT(rewards[0].value().num_dropped, 40);
}

TEST_F(ScorerTest, RewardBenchRuleRoundsToHalfAndMasksADoubleBos) {
  ScorerOptions bench = options();
  bench.rule = "reward-bench";
  const Scorer scorer(bench);
  EXPECT_EQ(scorer.rule().rounding, schema::RewardRounding::kF16);
  const std::vector<Conversation> batch = {chat("Hello", "World")};
  const Reward half = scorer.score(batch)[0].value();
  const Reward plain = Scorer(options()).score(batch)[0].value();
  EXPECT_EQ(half.value, f16_to_float(float_to_f16(half.value)));
  EXPECT_EQ(half.num_tokens, plain.num_tokens + 1);  // the masked BOS stays in the count
  EXPECT_NEAR(half.value, plain.value, 2e-3 * (1 + std::abs(plain.value)));  // and in no attention
}

TEST_F(ScorerTest, StatisticsCountSharedTokensOnce) {
  const Scorer scorer(options());
  scorer.score(std::vector<Conversation>{chat("same prompt", "a"), chat("same prompt", "b")});
  const ScoreStatistics counts = scorer.statistics();
  EXPECT_EQ(counts.num_conversations, 2);
  EXPECT_EQ(counts.sequence_tokens, 2 * 30);  // <s>user:same prompt;assistant:a;
  EXPECT_EQ(counts.physical_tokens, 28 + 2 * 2);
}

TEST_F(ScorerTest, FactsIdentifyTheModel) {
  const Scorer scorer(options());
  EXPECT_EQ(scorer.facts().architecture, "LlamaForSequenceClassification");
  EXPECT_EQ(scorer.facts().hash.size(), 32u);
  EXPECT_EQ(scorer.facts().hash, Scorer(options()).facts().hash);
  EXPECT_EQ(scorer.facts().dtype, "F32");
}

TEST_F(ScorerTest, BadOptionsAreNamed) {
  const auto error_with = [](void (*change)(ScorerOptions&)) -> std::string {
    ScorerOptions bad = options();
    change(bad);
    try {
      const Scorer scorer(bad);
    } catch (const UserError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(error_with([](ScorerOptions& o) { o.rule = "x"; }),
            "option rule: unknown rule, expected transformers or reward-bench, got x");
  EXPECT_EQ(error_with([](ScorerOptions& o) { o.truncation = "up"; }),
            "option truncation: expected error, left or right, got up");
  EXPECT_EQ(error_with([](ScorerOptions& o) { o.dtype = "f8"; }),
            "option dtype: expected f32, bf16 or int8, got f8");
  EXPECT_EQ(error_with([](ScorerOptions& o) { o.batch_tokens = 0; }),
            "option batch-tokens: expected a positive number, got 0");
  EXPECT_EQ(error_with([](ScorerOptions& o) { o.max_length = -1; }),
            "option max-length: expected a positive number, got -1");
  EXPECT_NE(error_with([](ScorerOptions& o) { o.model = "/no/such"; }).find("/no/such"),
            std::string::npos);
}

}  // namespace
}  // namespace laurel::scoring
