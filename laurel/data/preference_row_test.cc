// Every form of a preference row, and what is wrong with wrong ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "laurel/data/preference_row.h"
#include "laurel/data/test_support.h"

namespace laurel::data {
namespace {

using testing::HasSubstr;

PreferenceRow parse(std::string_view text, const ReaderOptions& options = {}) {
  return parse_preference_row(parse_json(text, "f:1"), options, "f:1");
}

std::string refusal(std::string_view text, const ReaderOptions& options = {}) {
  return error_text<UserError>([&] { parse(text, options); });
}

// "user: Q | assistant: A" of messages; the text; the ids.
std::string shown(const schema::Conversation& conversation) {
  if (const auto* text = std::get_if<std::string>(&conversation)) return *text;
  if (const auto* ids = std::get_if<std::vector<std::int32_t>>(&conversation))
    return to_line(Json(*ids));
  std::string result;
  for (const schema::Message& message : std::get<schema::Messages>(conversation)) {
    result += fmt::format("{}{}: {}", result.empty() ? "" : " | ", message.role, message.content);
  }
  return result;
}

struct Form {
  const char* name;
  const char* row;
  std::vector<std::string> conversations;
};

const std::vector<Form>& forms() {
  static const std::vector<Form> list = {
      {"implicit prompt, text", R"({"chosen": "Q A", "rejected": "Q B"})", {"Q A", "Q B"}},
      {"implicit prompt, transcripts",
       R"({"chosen": "\n\nHuman: Q\n\nAssistant: A", "rejected": "\n\nHuman: Q\n\nAssistant:"})",
       {"user: Q | assistant: A", "user: Q | assistant: "}},
      {"implicit prompt, messages",
       R"({"id": "x", "chosen": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}],
           "rejected": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "B"}]})",
       {"user: Q | assistant: A", "user: Q | assistant: B"}},
      {"explicit prompt, strings",
       R"({"prompt": "Q", "chosen": "A", "rejected": "B", "margin": 0.5})",
       {"user: Q | assistant: A", "user: Q | assistant: B"}},
      {"explicit prompt, strings",
       R"({"system": "S", "input": "Q", "chosen": "A", "rejected": "B"})",
       {"system: S | user: Q | assistant: A", "system: S | user: Q | assistant: B"}},
      {"explicit prompt, messages",
       R"({"prompt": [{"role": "user", "content": "Q"}], "chosen": [{"role": "assistant", "content": "A"}],
           "rejected": [{"role": "assistant", "content": "B"}], "margin": null})",
       {"user: Q | assistant: A", "user: Q | assistant: B"}},
      {"explicit prompt, messages",  // a prompt beside whole conversations
       R"({"prompt": "Q", "chosen": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}],
           "rejected": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "B"}]})",
       {"user: Q | assistant: A", "user: Q | assistant: B"}},
      {"token ids", R"({"chosen_ids": [1, 2], "rejected_ids": [1, 3]})", {"[1,2]", "[1,3]"}},
      {"token ids", R"({"chosen_input_ids": [1, 2], "rejected_input_ids": [3]})", {"[1,2]", "[3]"}},
      {"token ids", R"({"input_ids_chosen": [1], "input_ids_rejected": [3]})", {"[1]", "[3]"}},
      {"ranked completions",
       R"({"context": [{"role": "user", "content": "Q"}], "completions": [
             {"rank": 2, "completion": [{"role": "assistant", "content": "C"}]},
             {"rank": 0, "completion": [{"role": "assistant", "content": "A"}]},
             {"rank": 1, "completion": [{"role": "assistant", "content": "B"}]}]})",
       {"user: Q | assistant: A", "user: Q | assistant: B", "user: Q | assistant: C"}},
      {"ShareGPT ranking",
       R"({"system": "S", "conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "P"},
             {"from": "human", "value": "R"}], "chosen": {"from": "gpt", "value": "A"},
           "rejected": {"from": "gpt", "value": "B"}})",
       {"system: S | user: Q | assistant: P | user: R | assistant: A",
        "system: S | user: Q | assistant: P | user: R | assistant: B"}},
      {"arena battles",
       R"({"prompt": "[\"Q\", \"R\"]", "response_a": "[\"a\", null]", "response_b": "[\"b\", \"c\"]",
           "winner_model_a": 0, "winner_model_b": 1, "winner_tie": 0})",
       {"user: Q | assistant: b | user: R | assistant: c",
        "user: Q | assistant: a | user: R | assistant: "}},
  };
  return list;
}

TEST(PreferenceRow, EveryFormIsRead) {
  for (const Form& form : forms()) {
    const PreferenceRow row = parse(form.row);
    EXPECT_EQ(row.form, form.name) << form.row;
    ASSERT_EQ(row.conversations.size(), form.conversations.size()) << form.row;
    for (std::size_t i = 0; i < form.conversations.size(); ++i)
      EXPECT_EQ(shown(row.conversations[i]), form.conversations[i]) << form.row;
    EXPECT_FALSE(row.tie);
  }
}

TEST(PreferenceRow, WrittenRowsReadTheSame) {
  for (const Form& form : forms()) {
    const PreferenceRow row = parse(form.row);
    const Json written = to_json(row, "s");
    const PreferenceRow again = parse_preference_row(written, {}, "f:1");
    ASSERT_EQ(again.conversations.size(), row.conversations.size()) << written;
    for (std::size_t i = 0; i < row.conversations.size(); ++i)
      EXPECT_EQ(shown(again.conversations[i]), shown(row.conversations[i])) << written;
    EXPECT_EQ(again.margin, row.margin);
    EXPECT_EQ(again.id, row.id);
    EXPECT_EQ(again.template_variables, row.template_variables);
    EXPECT_EQ(written["source"], "s");
  }
}

TEST(PreferenceRow, MarginsToolsAndTemplateArguments) {
  const PreferenceRow row = parse(
      R"({"prompt": "Q", "chosen": "A", "rejected": "B", "margin": 2, "tools": "[{\"name\": \"t\"}]",
          "chat_template_kwargs": {"tone": "kind"}})");
  EXPECT_EQ(row.margin, 2.0);
  EXPECT_EQ(row.template_variables["tools"][0]["name"], "t");
  EXPECT_EQ(row.template_variables["tone"], "kind");
  const PreferenceRow again = parse_preference_row(to_json(row, "s"), {}, "f:1");
  EXPECT_EQ(again.template_variables["tools"], row.template_variables["tools"]);
  EXPECT_EQ(again.template_variables["tone"], "kind");
}

TEST(PreferenceRow, StringsAsTextAreJoined) {
  ReaderOptions options;
  options.strings_are_text = true;
  const PreferenceRow row = parse(R"({"prompt": "Q", "chosen": "A", "rejected": "B"})", options);
  EXPECT_EQ(row.form, "explicit prompt, text");
  EXPECT_EQ(shown(row.conversations[0]), "QA");
  const PreferenceRow transcript =
      parse(R"({"chosen": "\n\nHuman: Q", "rejected": "\n\nHuman: R"})", options);
  EXPECT_EQ(shown(transcript.conversations[0]), "\n\nHuman: Q");
}

TEST(PreferenceRow, ColumnsMayHaveOtherNames) {
  ReaderOptions options;
  options.prompt_key = "question";
  options.chosen_key = "good";
  options.rejected_key = "bad";
  const PreferenceRow row = parse(R"({"question": "Q", "good": "A", "bad": "B"})", options);
  EXPECT_EQ(shown(row.conversations[0]), "user: Q | assistant: A");
  EXPECT_EQ(refusal(R"({"question": "Q", "good": "A"})", options), "f:1: missing key \"bad\"");
}

TEST(PreferenceRow, TiesAreMarked) {
  EXPECT_TRUE(parse(R"({"context": "Q", "completions": [{"rank": 1, "completion": "A"},
      {"rank": 1, "completion": "B"}]})")
                  .tie);
  EXPECT_TRUE(parse(R"({"prompt": ["Q"], "response_a": ["a"], "response_b": ["b"],
      "winner_model_a": 0, "winner_model_b": 0, "winner_tie": 1})")
                  .tie);
}

TEST(PreferenceRow, RowsWithoutAComparisonSaySo) {
  EXPECT_THAT(refusal(R"({"prompt": "Q", "completion": "A", "label": true})"),
              HasSubstr("got an unpaired completion with a label"));
  EXPECT_THAT(refusal(R"({"prompt": "Q", "completions": ["a"], "labels": [true]})"),
              HasSubstr("got labels of steps"));
  EXPECT_EQ(refusal(R"({"text": "t", "score": 1})"),
            "f:1: no comparison of completions, expected chosen and rejected, got keys text, "
            "score; --chosen-key, --rejected-key and --prompt-key name other columns");
  EXPECT_THAT(refusal("{}"), HasSubstr("got no keys"));
  EXPECT_EQ(refusal("[1]"), "f:1: expected a JSON object, got array");
}

TEST(PreferenceRow, WrongMembersAreNamed) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {R"({"chosen": "a"})", "f:1: missing key \"rejected\""},
      {R"({"chosen": "a", "rejected": []})",
       "f:1: expected two strings or two lists of messages, got string and array"},
      {R"({"chosen": "Human: a", "rejected": "b"})",
       "f:1: one of chosen and rejected begins with \"Human:\", the other does not"},
      {R"({"chosen": 1, "rejected": 2})",
       "f:1: key \"chosen\": expected a string or a list of messages, got number"},
      {R"({"chosen": ["a"], "rejected": ["b"]})",
       "f:1: key \"chosen\": message 1: expected an object with role and content, got string"},
      {R"({"prompt": "Q", "chosen": "a", "rejected": "b", "margin": "big"})",
       "f:1: key \"margin\": expected a number, got \"big\""},
      {R"({"system": "S", "chosen": "a", "rejected": "b"})",
       "f:1: key \"system\": expected messages, got rendered text"},
      {R"({"chosen_ids": [], "rejected_ids": [1]})",
       "f:1: key \"chosen_ids\": expected a list of at least one token id, got an empty list"},
      {R"({"chosen_ids": [1], "rejected_ids": [-1]})",
       "f:1: key \"rejected_ids\": expected token ids, got -1"},
      {R"({"chosen_ids": [1]})", "f:1: missing key \"rejected_ids\""},
      {R"({"context": "Q", "completions": [{"rank": 0, "completion": "A"}]})",
       "f:1: key \"completions\": expected a list of at least two completions"},
      {R"({"context": "Q", "completions": [{"completion": "A"}, {"rank": 0, "completion": "A"}]})",
       "f:1: key \"completions\" 1: missing key \"rank\""},
      {R"({"context": "Q", "completions": ["A", "B"]})",
       "f:1: key \"completions\" 1: expected an object with rank and completion, got string"},
      {R"({"conversations": [{"from": "martian", "value": "Q"}], "chosen": {"from": "gpt", "value": "A"}})",
       "f:1: key \"conversations\": turn 1: key \"from\": expected human, gpt, system or "
       "observation, got \"martian\""},
      {R"({"conversations": [], "chosen": {"from": "gpt"}})",
       "f:1: key \"chosen\": missing key \"value\""},
      {R"({"prompt": "[\"Q\"]", "response_a": "[]", "response_b": "[\"b\"]", "winner_model_a": 1,
           "winner_model_b": 0, "winner_tie": 0})",
       "f:1: key \"response_a\": expected as many answers as prompts, 1, got 0"},
      {R"({"prompt": "[\"Q\"]", "response_a": "[\"a\"]", "response_b": "[\"b\"]", "winner_model_a": 1,
           "winner_model_b": 1, "winner_tie": 0})",
       "f:1: expected one of winner_model_a, winner_model_b, winner_tie to be 1"},
      {R"({"prompt": "[\"Q\"]", "response_a": "[\"a\"]", "response_b": "[\"b\"]", "winner_model_a": 2})",
       "f:1: key \"winner_model_a\": expected 0 or 1, got 2"},
      {R"({"prompt": "Q", "chosen": "a", "rejected": "b", "tools": 3})",
       "f:1: key \"tools\": expected a list, got number"},
      {R"({"prompt": "Q", "chosen": "a", "rejected": "b", "chat_template_kwargs": 3})",
       "f:1: key \"chat_template_kwargs\": expected an object, got number"},
  };
  for (const auto& [row, text] : cases) EXPECT_EQ(refusal(row), text) << row;
}

}  // namespace
}  // namespace laurel::data
