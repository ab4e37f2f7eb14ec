#include "laurel/schema/model_card.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "laurel/base/error.h"
#include "laurel/base/test_support.h"

namespace laurel::schema {
namespace {

using ::testing::HasSubstr;

const Json kBase = {{"title", "Small"},
                    {"hub_name", "org/small"},
                    {"license", "other"},
                    {"license_name", "Small License"},
                    {"license_link", "https://example.org"},
                    {"terms", "Be kind.\nAlways."}};

TEST(ModelCard, ReadsPartsAsPeopleWriteThem) {
  const CardBase base = read_card_base("small", JsonReader(kBase, "x"));
  EXPECT_EQ(base.key, "small");
  EXPECT_EQ(base.title, "Small");
  EXPECT_EQ(base.license.license_name, "Small License");
  EXPECT_EQ(base.license.terms, "Be kind.\nAlways.");
  const Json one = {{"datasets", "org/pairs"}};
  const CardMix mix = read_card_mix("mix", JsonReader(one, "x"));
  EXPECT_EQ(mix.title, "mix");
  EXPECT_EQ(mix.datasets, std::vector<std::string>{"org/pairs"});
  EXPECT_EQ(mix.license.license, "");
}

TEST(ModelCard, TitlesDefaultToNames) {
  const Json json = {{"hub_name", "org/small"}};
  EXPECT_EQ(read_card_base("k", JsonReader(json, "x")).title, "org/small");
  const Json none = Json::object();
  EXPECT_EQ(read_card_base("k", JsonReader(none, "x")).title, "k");
  const Json benchmark = {{"benchmark", "preference"}};
  EXPECT_EQ(read_card_benchmark(JsonReader(benchmark, "x")).title, "preference");
}

TEST(ModelCard, EveryPartsKeyIsKnownToItsReader) {
  const Json json = kBase;
  JsonReader(json, "x").allow_only(card_base_keys());
  EXPECT_EQ(card_mix_keys().size(), 6u);
  EXPECT_EQ(card_text_keys().size(), 11u);
}

TEST(ModelCard, ReadsBackWhatItWrote) {
  ModelCard card;
  card.repo_id = "org/rm";
  card.laurel_version = "0.1.0";
  card.text.summary = "Two lines.\nHere.";
  card.text.language = {"en", "de"};
  card.benchmark = {"reward-bench-2", "RewardBench 2", "allenai/reward-bench-2"};
  card.bases = {read_card_base("small", JsonReader(kBase, "x"))};
  card.mixes = {{"mix", "Both", {"org/a", "org/b"}, {"odc-by", "", "", "Share alike."}}};
  CardRevision main = {"main", "small-mix", "small", "mix", "3e-6", "2", "1"};
  main.overall = 0.5;
  main.subsets = {{"Math", 0.25}, {"Focus", 0.75}};
  main.options = {{"learning-rate", "3e-6"}};
  main.num_rows = 3;
  main.training = "r";
  main.seconds = 1.5;
  main.num_threads = 2;
  CardRevision other = main;
  other.revision = "1";
  other.overall.reset();
  other.is_adapter = true;
  card.revisions = {main, other};
  const std::string text = to_text(to_json(card));
  const ModelCard read = model_card_from_json(parse_json(text, "x"), "x");
  EXPECT_EQ(to_text(to_json(read)), text);
  EXPECT_EQ(read.revisions[0].subsets[1].second, 0.75);
  EXPECT_FALSE(read.revisions[1].overall);
  EXPECT_TRUE(read.revisions[1].is_adapter);
  EXPECT_EQ(read.mixes[0].license.terms, "Share alike.");
}

TEST(ModelCard, ErrorsNameThePlace) {
  const Json json = parse_json(R"({"revisions": [{"overall": "high"}]})", "x");
  EXPECT_THAT(error_text<UserError>([&] { model_card_from_json(json, "card.json"); }),
              HasSubstr("card.json: revisions[0]: key \"overall\": expected a number"));
}

}  // namespace
}  // namespace laurel::schema
