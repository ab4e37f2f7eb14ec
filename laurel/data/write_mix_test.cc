// A mix as a file: reading it gives the examples that the mix itself gives.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "laurel/data/test_support.h"
#include "laurel/data/write_mix.h"
#include "laurel/formats/line_reader.h"

namespace laurel::data {
namespace {

using testing::HasSubstr;

class WriteMix : public testing::Test {
 protected:
  WriteMix() {
    Json tools = pair_row("Q", "A", "B");
    tools["chat_template_kwargs"] = {{"tone", "kind"}};
    tools["margin"] = 0.25;
    const Json ranked = {{"context", "Q"},
                         {"completions",
                          {{{"rank", 2}, {"completion", "A"}},
                           {{"rank", 0}, {"completion", "B"}},
                           {{"rank", 1}, {"completion", "C"}}}}};
    const std::string rows =
        model_.add_rows("a.jsonl", {tools,
                                    ranked,
                                    pair_row("same", "A", "A"),
                                    {{"chosen", "good text"}, {"rejected", "bad text"}},
                                    {{"chosen_ids", {1, 5, 6}}, {"rejected_ids", {1, 7}}},
                                    {{"id", "h"},
                                     {"chosen", "\n\nHuman: Hi\n\nAssistant: Hello"},
                                     {"rejected", "\n\nHuman: Hi\n\nAssistant: No"}}});
    options_ = mix_of({rows + " 1.5", rows + " 2"});
  }
  Json write(const std::string& name, const chat::Encoder* encoder = nullptr) {
    ThreadPool pool(2);
    return write_mix(options_, encoder, pool, (model_.path() / name).string());
  }

  Checkpoint model_;
  BuildOptions options_;
};

TEST_F(WriteMix, ReadingItGivesTheSameExamples) {
  const TrainingSet direct = build(model_, options_);
  for (const char* name : {"mix.jsonl", "mix.jsonl.zst"}) {
    const Json result = write(name);
    EXPECT_EQ(result["examples"], direct.examples.size());
    const TrainingSet again = build(model_, mix_of({(model_.path() / name).string()}));
    ASSERT_EQ(again.examples.size(), direct.examples.size());
    for (std::size_t i = 0; i < direct.examples.size(); ++i) {
      EXPECT_EQ(again.examples[i].sequences, direct.examples[i].sequences) << i;
      EXPECT_EQ(again.examples[i].margin, direct.examples[i].margin) << i;
    }
  }
}

TEST_F(WriteMix, RowsHaveTheirSourceAndId) {
  write("mix.jsonl.zst");
  formats::LineReader reader((model_.path() / "mix.jsonl.zst").string());
  std::string line;
  std::vector<Json> ids;
  while (reader.next(line)) {
    const Json row = parse_json(line, "mix");
    EXPECT_THAT(row["source"].get<std::string>(), HasSubstr("a.jsonl"));
    ids.push_back(row["id"]);
  }
  ASSERT_GE(ids.size(), 5u);
  EXPECT_EQ(ids[0], "1");
  EXPECT_EQ(ids[4], "h");
}

TEST_F(WriteMix, LengthLimitsNeedAModel) {
  options_.filters.max_length = 8;
  EXPECT_EQ(error_text<UserError>([&] { write("mix.jsonl"); }),
            "a limit on tokens needs a model, expected --model DIR, got none");
  const chat::Encoder encoder = model_.encoder();
  const Json result = write("mix.jsonl", &encoder);
  EXPECT_EQ(result["examples"], build(model_, options_).examples.size());
  EXPECT_LT(result["examples"], 5);
}

TEST_F(WriteMix, NothingIsLeftOfAFailedMix) {
  options_.mix.push_back(model_.add("bad.jsonl", "{\"chosen\": 1}\n"));
  EXPECT_THAT(error_text<UserError>([&] { write("mix.jsonl"); }), HasSubstr("bad.jsonl:1"));
  EXPECT_FALSE(fs::exists(model_.path() / "mix.jsonl"));
  EXPECT_THAT(error_text<UserError>([&] { write("mix.jsonl.gz"); }),
              HasSubstr("gzip is not written"));
}

}  // namespace
}  // namespace laurel::data
