#include <gtest/gtest.h>

#include "laurel/base/error.h"
#include "laurel/schema/conversation.h"
#include "laurel/schema/input_row.h"
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
            "Rule \"transformers\". No chat template. Messages get no special tokens beyond those "
            "the template writes, plain text gets the tokenizer's. The reward is read at the last "
            "token that is not the pad token 7 (from config.json). At most 2048 tokens, cut on the "
            "right. Computed in float32, reward rounded to float16.");
  const Json json = to_json(rule);
  EXPECT_EQ(json["pad_token_id"], 7);
  EXPECT_EQ(json["truncation"], "right");
  EXPECT_EQ(json["reward_rounding"], "f16");
}

// The conversations of a row, each as one line: messages as role=content pairs, text in quotes, ids
// in brackets.
std::vector<std::string> shapes_of(std::string_view json) {
  std::vector<std::string> shapes;
  for (const Conversation& conversation :
       parse_input_row(parse_json(json, "test"), "line 1").conversations) {
    std::string shape;
    if (const auto* messages = std::get_if<Messages>(&conversation)) {
      for (const Message& message : *messages) shape += message.role + "=" + message.content + " ";
    } else if (const auto* text = std::get_if<std::string>(&conversation)) {
      shape = '"' + *text + '"';
    } else {
      for (const std::int32_t id : std::get<2>(conversation)) shape += fmt::format("[{}]", id);
    }
    shapes.push_back(shape);
  }
  return shapes;
}

TEST(InputRow, AcceptsEveryForm) {
  using Shapes = std::vector<std::string>;
  EXPECT_EQ(shapes_of(R"({"messages":[{"role":"user","content":"a"}]})"), Shapes{"user=a "});
  EXPECT_EQ(shapes_of(R"({"prompt":"p","completions":["a","b"]})"),
            (Shapes{"user=p assistant=a ", "user=p assistant=b "}));
  EXPECT_EQ(shapes_of(R"({"prompt":[{"role":"system","content":"s"}],"response":"r"})"),
            Shapes{"system=s assistant=r "});
  EXPECT_EQ(shapes_of(R"({"chosen":"c","rejected":"r"})"), (Shapes{"\"c\"", "\"r\""}));
  EXPECT_EQ(shapes_of(R"({"prompt":"p","chosen":"c","rejected":"r"})"),
            (Shapes{"user=p assistant=c ", "user=p assistant=r "}));
  EXPECT_EQ(shapes_of(R"({"text":"t"})"), Shapes{"\"t\""});
  EXPECT_EQ(shapes_of(R"({"input_ids":[1,2]})"), Shapes{"[1][2]"});
}

TEST(InputRow, AChosenListThatHoldsThePromptIsWhole) {
  const char* row =
      R"({"prompt":"p","chosen":[{"role":"user","content":"p"},{"role":"assistant","content":"c"}],
                        "rejected":[{"role":"assistant","content":"r"}]})";
  EXPECT_EQ(shapes_of(row),
            (std::vector<std::string>{"user=p assistant=c ", "user=p assistant=r "}));
}

TEST(InputRow, RefusesOtherRowsByKey) {
  const auto error = [](std::string_view json) -> std::string {
    try {
      parse_input_row(parse_json(json, "test"), "f:1");
    } catch (const UserError& e) {
      return e.what();
    }
    return "no error";
  };
  EXPECT_EQ(error("3"), "f:1: expected a JSON object, got number");
  EXPECT_EQ(error(R"({"chosen":"x"})"), "f:1: missing key \"rejected\"");
  EXPECT_EQ(error(R"({"completions":["x"]})"), "f:1: missing key \"prompt\"");
  EXPECT_EQ(error(R"({"prompt":"p","completions":[]})"),
            "f:1: key \"completions\": expected a non-empty list");
  EXPECT_EQ(
      error(R"({"prompt":1,"response":"x"})"),
      "f:1: key \"response\": key \"prompt\": expected a string or a list of messages, got number");
  EXPECT_EQ(error(R"({"text":1})"), "f:1: key \"text\": expected a string, got number");
  EXPECT_EQ(error(R"({"input_ids":[]})"),
            "f:1: key \"input_ids\": expected at least one token id, got an empty list");
  EXPECT_EQ(error(R"({"input_ids":[-1]})"), "f:1: key \"input_ids\": expected token ids, got -1");
  EXPECT_EQ(error(R"({"input_ids":7})"),
            "f:1: key \"input_ids\": expected a list of token ids, got number");
  EXPECT_NE(error(R"({"x":1})").find("nothing to score"), std::string::npos);
}

}  // namespace
}  // namespace laurel::schema
