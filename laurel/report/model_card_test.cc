#include "laurel/report/model_card.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace laurel::report {
namespace {

using schema::ModelCard;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// The published family of one base: its figures, as data.
ModelCard published_family() {
  const std::string path =
      std::string(LAUREL_SOURCE_DIR) + "/tests/cases/model_cards/llama_3_1_tulu_3_70b.json";
  return schema::model_card_from_json(read_json_file(path), path);
}

ModelCard small_card() {
  ModelCard card;
  card.repo_id = "org/rm";
  card.bases = {{"b", "Base", "org/base", {"apache-2.0", "", "", ""}}};
  card.mixes = {{"m", "Mix", {"org/pairs"}, {"odc-by", "", "", ""}}};
  card.benchmark = {"preference", "Held-out pairs", ""};
  card.revisions = {{"main", "run", "b", "m", "1e-5", "1", "1"}};
  return card;
}

TEST(ModelCard, TableOfThePublishedFamily) {
  EXPECT_EQ(revision_table(published_family()),
            "| Revision | Training Data | Learning Rate | Num Epochs | RewardBench 2 Score | "
            "Factuality | "
            "Precise IF | Math | Safety | Focus | Ties |\n"
            "|---|---|---|---|---|---|---|---|---|---|---|\n"
            "| main | Combined | 3e-6 | 1 | 72.2 | 80.8 | 36.9 | 67.8 | 86.9 | 77.8 | 83.1 |\n"
            "| 1 | Tulu | 3e-6 | 1 | 66.2 | 79.6 | 32.5 | 65.6 | 83.1 | 63.2 | 73.1 |\n"
            "| 2 | Tulu | 3e-6 | 2 | 66.1 | 77.9 | 36.9 | 64.5 | 88.4 | 66.7 | 61.9 |\n");
}

TEST(ModelCard, FrontMatterOfThePublishedFamily) {
  const Json json = card_front_matter(published_family());
  EXPECT_EQ(json["language"][0], "en");
  EXPECT_EQ(json["license"], "llama3.1");
  EXPECT_EQ(json["base_model"][0], "allenai/Llama-3.1-Tulu-3-70B-SFT");
  EXPECT_EQ(json["datasets"][0], "allenai/llama-3.1-tulu-3-8b-preference-mixture");
  EXPECT_EQ(json["pipeline_tag"], "text-classification");
  EXPECT_EQ(json["library_name"], "transformers");
  const Json& entry = json["model-index"][0];
  EXPECT_EQ(entry["name"], "Llama-3.1-Tulu-3-70B-SFT-RM-RB2");
  const Json& result = entry["results"][0];
  EXPECT_EQ(result["dataset"]["type"], "allenai/reward-bench-2");
  EXPECT_EQ(result["metrics"].size(), 7u);
  EXPECT_EQ(to_line(result["metrics"][0]), R"({"type":"accuracy","name":"Overall","value":72.2})");
  EXPECT_EQ(to_line(result["metrics"][6]), R"({"type":"accuracy","name":"Ties","value":83.1})");
}

TEST(ModelCard, SectionsOfThePublishedFamily) {
  const std::string text = model_card(published_family());
  EXPECT_EQ(text.substr(0, 18), "---\nlanguage:\n  - ");
  std::size_t at = 0;
  for (const char* heading : {"\n---\n", "\n# Llama-3.1-Tulu-3-70B-SFT-RM-RB2\n",
                              "\n## Model details\n", "\n## Revisions\n", "\n## How to use\n",
                              "\n## License\n", "\n## Training\n", "\n## Citation\n"}) {
    const std::size_t found = text.find(heading, at);
    ASSERT_NE(found, text.npos) << heading;
    at = found;
  }
  EXPECT_THAT(text, HasSubstr("malik2025rewardbench2advancingreward"));
  EXPECT_THAT(text,
              HasSubstr("name, revision = \"allenai/Llama-3.1-Tulu-3-70B-SFT-RM-RB2\", \"2\""));
  EXPECT_THAT(text, HasSubstr("laurel score --model allenai/Llama-3.1-Tulu-3-70B-SFT-RM-RB2@2"));
  EXPECT_THAT(text, HasSubstr("Developed by:** Allen Institute for AI"));
  EXPECT_THAT(text, HasSubstr("Training data Combined: **no license is given**"));
  EXPECT_THAT(text, Not(HasSubstr("## Compute")));  // nothing is known of it
  EXPECT_EQ(text.back(), '\n');
}

TEST(ModelCard, LicenseIsInheritedOnlyWhenCommon) {
  ModelCard card = small_card();
  EXPECT_EQ(card_front_matter(card)["license"], "apache-2.0");
  card.bases.push_back({"c", "Other", "", {}});
  EXPECT_FALSE(card_front_matter(card).contains("license"));
  EXPECT_THAT(model_card(card), AllOf(HasSubstr("Base model Other: **no license is given**"),
                                      HasSubstr("apache-2.0 and not given")));
  card.text.license = {"other", "Mine", "https://example.org/l", ""};
  const Json json = card_front_matter(card);
  EXPECT_EQ(json["license"], "other");
  EXPECT_EQ(json["license_name"], "Mine");
  EXPECT_EQ(json["license_link"], "https://example.org/l");
}

TEST(ModelCard, TermsAreQuotedWhole) {
  ModelCard card = small_card();
  card.bases[0].license.terms = "Built with Base.\nNo weapons.\n";
  EXPECT_THAT(model_card(card), HasSubstr("\n  > Built with Base.\n  > No weapons.\n"));
}

TEST(ModelCard, NothingIsSaidOfWhatIsNotKnown) {
  const std::string text = model_card(small_card());
  EXPECT_THAT(text, AllOf(HasSubstr("The models were not evaluated"), Not(HasSubstr("model-index")),
                          Not(HasSubstr("## Citation")), Not(HasSubstr("Developed by")),
                          Not(HasSubstr("Without a revision"))));
}

TEST(ModelCard, ColumnsForWhatDiffers) {
  ModelCard card = small_card();
  card.revisions.push_back({"1", "run2", "c", "m", "1e-5", "1", "2"});
  EXPECT_EQ(
      revision_table(card),
      "| Revision | Base Model | Training Data | Learning Rate | Num Epochs | Seed | Held-out "
      "pairs Score |\n|---|---|---|---|---|---|---|\n"
      "| main | Base | Mix | 1e-5 | 1 | 1 | – |\n"
      "| 1 | c | Mix | 1e-5 | 1 | 2 | – |\n");
}

TEST(ModelCard, TextFromOutsideIsEscaped) {
  ModelCard card = small_card();
  card.mixes[0].title = "a|b <script>\n# c";
  EXPECT_THAT(revision_table(card), HasSubstr("| a\\|b &lt;script> # c |"));
  EXPECT_EQ(escape_markdown("[x](y) `z` *w* \\ &"), "\\[x\\](y) \\`z\\` \\*w\\* \\\\ &amp;");
}

TEST(ModelCard, AdaptersAreLoadedThroughPeft) {
  ModelCard card = small_card();
  card.revisions[0].is_adapter = true;
  const Json json = card_front_matter(card);
  EXPECT_EQ(json["library_name"], "peft");
  EXPECT_EQ(json["base_model_relation"], "adapter");
  EXPECT_THAT(model_card(card), AllOf(HasSubstr("AutoPeftModelForSequenceClassification"),
                                      HasSubstr("laurel score --model org/rm@main")));
}

TEST(ModelCard, ComputeCountsARunOnce) {
  ModelCard card = small_card();
  card.revisions[0].training = "r";
  card.revisions[0].seconds = 3600;
  card.revisions[0].num_threads = 4;
  card.revisions.push_back(card.revisions[0]);
  EXPECT_THAT(model_card(card), HasSubstr("took 1.00 hours, 4.00 core-hours, in 1 run."));
  card.revisions.push_back(card.revisions[0]);
  card.revisions[2].training = "s";
  EXPECT_THAT(model_card(card), HasSubstr("took 2.00 hours, 8.00 core-hours, in 2 runs."));
}

TEST(ModelCard, RecipeTellsNoPaths) {
  ModelCard card = small_card();
  card.revisions[0].options = {{"learning-rate", "1e-5"}, {"output-dir", "/home/me"}};
  EXPECT_THAT(model_card(card),
              AllOf(HasSubstr("| learning-rate | 1e-5 |"), Not(HasSubstr("/home/me"))));
}

}  // namespace
}  // namespace laurel::report
