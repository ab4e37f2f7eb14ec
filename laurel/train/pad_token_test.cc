#include "laurel/train/pad_token.h"

#include <gtest/gtest.h>

#include "laurel/base/error.h"
#include "laurel/base/test_support.h"
#include "laurel/train/test_support.h"

namespace laurel::train {
namespace {

class PadTokenTest : public testing::Test {
 protected:
  void write(const Json& config, const Json& added = Json::array(),
             const Json& vocab = {{"a", 0}, {"</s>", 1}}) {
    const Json tokenizer = {{"added_tokens", added}, {"model", {{"vocab", vocab}}}};
    write_file(folder_ / "tokenizer.json", to_text(tokenizer));
    write_file(folder_ / "tokenizer_config.json", to_text(config));
  }
  PadToken choose(std::int64_t vocab_size) const {
    return choose_pad_token(folder_.path(), vocab_size);
  }
  TestFolder folder_;
};

TEST_F(PadTokenTest, TheTokenizersOwnStays) {
  write({{"eos_token", "</s>"}, {"pad_token", {{"content", "[PAD]"}}}},
        {{{"id", 2}, {"content", "[PAD]"}}});
  const PadToken pad = choose(3);
  EXPECT_EQ(pad.id, 2);
  EXPECT_EQ(pad.vocab_size, 3);
  EXPECT_TRUE(pad.files.empty());
}

TEST_F(PadTokenTest, IsAddedWhereThereIsNoneOrItIsTheEosToken) {
  for (const Json& config :
       {Json{{"eos_token", "</s>"}}, Json{{"eos_token", "</s>"}, {"pad_token", "</s>"}}}) {
    write(config);
    const PadToken pad = choose(2);
    EXPECT_EQ(pad.content, "<pad>");
    EXPECT_EQ(pad.id, 2);
    EXPECT_EQ(pad.vocab_size, 8);
    const Json tokenizer = parse_json(pad.files.at("tokenizer.json"), "tokenizer.json");
    EXPECT_EQ(tokenizer["added_tokens"].back()["content"], "<pad>");
    EXPECT_EQ(tokenizer["added_tokens"].back()["id"], 2);
    EXPECT_EQ(tokenizer["model"]["vocab"]["</s>"], 1);
    const Json changed = parse_json(pad.files.at("tokenizer_config.json"), "config");
    EXPECT_EQ(changed["pad_token"], "<pad>");
    EXPECT_EQ(changed["added_tokens_decoder"]["2"]["special"], true);
  }
}

TEST_F(PadTokenTest, GoesBehindOtherAddedTokensAndIntoSpareRows) {
  write({{"eos_token", "</s>"}}, {{{"id", 2}, {"content", "x"}}, {{"id", 6}, {"content", "y"}}});
  const PadToken pad = choose(128);
  EXPECT_EQ(pad.id, 7);
  EXPECT_EQ(pad.vocab_size, 128);
  const Json tokenizer = parse_json(pad.files.at("tokenizer.json"), "tokenizer.json");
  EXPECT_EQ(tokenizer["added_tokens"].size(), 3u);
}

TEST_F(PadTokenTest, OneThatTheTokenizerKnowsIsTaken) {
  write({{"eos_token", "</s>"}}, Json::array(), {{"a", 0}, {"</s>", 1}, {"<pad>", 2}});
  const PadToken pad = choose(3);
  EXPECT_EQ(pad.id, 2);
  EXPECT_EQ(pad.files.count("tokenizer.json"), 0u);
  EXPECT_EQ(pad.files.count("tokenizer_config.json"), 1u);
}

TEST_F(PadTokenTest, FilesThatCannotBeUnderstoodAreNamed) {
  write({{"pad_token", "[PAD]"}});
  EXPECT_TRUE(error_text<UserError>([&] {
                choose(3);
              }).ends_with("tokenizer.json: pad token [PAD]: not in the vocabulary"));
  write_file(folder_ / "tokenizer.json", "{}");
  EXPECT_NE(error_text<UserError>([&] { choose(3); }).find("cannot find its tokens"),
            std::string::npos);
}

}  // namespace
}  // namespace laurel::train
