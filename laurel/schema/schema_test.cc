#include <gtest/gtest.h>

#include "laurel/base/error.h"
#include "laurel/schema/conversation.h"
#include "laurel/schema/scoring_rule.h"

namespace laurel::schema {
namespace {

std::string error_of(std::string_view json) {
  try {
    messages_from_json(parse_json(json, "test"), "row");
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Messages, KeepsExtraMembersInOrder) {
  const Messages messages = messages_from_json(
      parse_json(R"([{"name":"n","role":"user","content":"hi","x":[1]}])", "test"), "row");
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(to_line(to_json(messages[0])), R"({"role":"user","content":"hi","name":"n","x":[1]})");
}

TEST(Messages, RefusesWhatIsNoMessage) {
  EXPECT_EQ(error_of("{}"), "row: expected a list of messages, got object");
  EXPECT_EQ(error_of("[]"), "row: expected at least one message, got an empty list");
  EXPECT_EQ(error_of("[1]"),
            "row: message 1: expected an object with role and content, got number");
  EXPECT_EQ(error_of(R"([{"content":"x"}])"), "row: message 1: expected a non-empty \"role\"");
  EXPECT_EQ(error_of(R"([{"role":"user"}])"), "row: message 1: expected a string \"content\"");
  EXPECT_EQ(error_of(R"([{"role":"user","content":3}])"),
            "row: message 1: key \"content\": expected a string, got 3");
}

TEST(ScoringRule, SaysWhatItDoes) {
  ScoringRule rule;
  rule.pad_token_id = 7;
  rule.pad_source = "config.json";
  rule.max_length = 2048;
  rule.truncation = TruncationSide::kRight;
  rule.rounding = RewardRounding::kF16;
  EXPECT_EQ(describe(rule),
            "Rule \"transformers\". No chat template. No special tokens beyond those the template "
            "writes. The reward "
            "is read at the last token that is not the pad token 7 (from config.json). At most "
            "2048 tokens, cut on "
            "the right. Computed in float32, reward rounded to float16.");
  const Json json = to_json(rule);
  EXPECT_EQ(json["pad_token_id"], 7);
  EXPECT_EQ(json["truncation"], "right");
  EXPECT_EQ(json["reward_rounding"], "f16");
}

}  // namespace
}  // namespace laurel::schema
