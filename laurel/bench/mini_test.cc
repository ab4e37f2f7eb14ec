// Properties of Laurel Mini: form, disjoint parts, determinism, no give-away by length, right
// answers that are right.
#include "laurel/bench/mini.h"

#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>

#include "laurel/base/error.h"
#include "laurel/base/hash.h"
#include "laurel/bench/mini_verifiers.h"
#include "laurel/bench/readers.h"

namespace laurel::bench {
namespace {

std::vector<MiniRow> rows_of(MiniSplit split, std::int64_t size, std::uint64_t seed = 1) {
  return make_mini({split, seed, size});
}

std::string fingerprint_of(const std::vector<MiniRow>& rows) {
  std::string text;
  for (const MiniRow& row : rows) text += to_line(mini_row_json(row)) + "\n";
  return fingerprint(text);
}

TEST(Mini, EveryRowIsReadAsRewardBench2) {
  std::map<std::string, int> counts;
  std::set<std::string> ids;
  for (const MiniSplit split : {MiniSplit::kTest, MiniSplit::kTrain}) {
    ids.clear();
    for (const MiniRow& row : rows_of(split, 0)) {
      const Example example = reward_bench_2_example({mini_row_json(row), "row " + row.id});
      EXPECT_EQ(example.conversations.size(), row.chosen.size() + row.rejected.size());
      EXPECT_TRUE(ids.insert(row.id).second) << row.id;
      std::set<std::string> answers(row.chosen.begin(), row.chosen.end());
      answers.insert(row.rejected.begin(), row.rejected.end());
      EXPECT_EQ(answers.size(), example.conversations.size()) << "equal answers in row " << row.id;
      if (row.subset == "Ties") {
        EXPECT_GE(answers.size(), 14u) << row.prompt;
        EXPECT_LE(answers.size(), 25u) << row.prompt;
      } else {
        EXPECT_EQ(answers.size(), 4u) << row.prompt;
      }
      if (split == MiniSplit::kTest) ++counts[row.subset];
    }
  }
  const std::map<std::string, int> expected = {{"Factuality", 26}, {"Precise IF", 25},
                                               {"Math", 25},       {"Safety", 25},
                                               {"Focus", 25},      {"Ties", 24}};
  EXPECT_EQ(counts, expected);
}

TEST(Mini, TrainAndTestShareNoPrompt) {
  std::set<std::string> train;
  for (const MiniRow& row : rows_of(MiniSplit::kTrain, 6000)) train.insert(row.prompt);
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    for (const MiniRow& row : rows_of(MiniSplit::kTest, 1000, seed)) {
      EXPECT_FALSE(train.contains(row.prompt)) << row.prompt;
    }
  }
}

TEST(Mini, SameSeedSameRowsOnEveryMachine) {
  EXPECT_EQ(fingerprint_of(rows_of(MiniSplit::kTest, 0)), "372822df10e76cc431cc52cf0ecaa3b1");
  EXPECT_EQ(fingerprint_of(rows_of(MiniSplit::kTrain, 500)), "b1fb5b592410c97a13540ae2d81d3c08");
  EXPECT_NE(fingerprint_of(rows_of(MiniSplit::kTest, 0, 2)),
            fingerprint_of(rows_of(MiniSplit::kTest, 0)));
}

// Share of rows whose right answer is the longest (or the shortest), ties shared: 0.25 by chance.
double extreme_share(const std::vector<MiniRow>& rows, const std::string& subset, int sign) {
  double sum = 0;
  int count = 0;
  for (const MiniRow& row : rows) {
    if (row.subset == "Ties" || (!subset.empty() && row.subset != subset)) continue;
    const auto length = [&](const std::string& text) {
      return sign * static_cast<std::int64_t>(text.size());
    };
    const std::int64_t right = length(row.chosen[0]);
    int equal = 1;
    bool best = true;
    for (const std::string& text : row.rejected) {
      best &= length(text) <= right;
      equal += length(text) == right;
    }
    sum += best ? 1.0 / equal : 0;
    ++count;
  }
  return sum / count;
}

TEST(Mini, LengthDoesNotTellRightFromWrong) {
  for (const MiniSplit split : {MiniSplit::kTest, MiniSplit::kTrain}) {
    const std::vector<MiniRow> rows = rows_of(split, 3000);
    for (const int sign : {1, -1}) {
      EXPECT_NEAR(extreme_share(rows, "", sign), 0.25, 0.05);
      for (const char* subset : {"Factuality", "Precise IF", "Math", "Safety", "Focus"}) {
        EXPECT_NEAR(extreme_share(rows, subset, sign), 0.25, 0.12) << subset << sign;
      }
    }
  }
}

// An openings-and-closings style must be as common in right answers as in wrong ones.
TEST(Mini, PolitePhrasesDoNotTellRightFromWrong) {
  double right = 0, wrong = 0, num_right = 0, num_wrong = 0;
  for (const MiniRow& row : rows_of(MiniSplit::kTrain, 6000)) {
    if (row.subset != "Factuality" && row.subset != "Math" && row.subset != "Focus") continue;
    const auto polite = [](const std::string& text) {
      return text.find("I hope that helps") != std::string::npos;
    };
    right += polite(row.chosen[0]);
    ++num_right;
    for (const std::string& text : row.rejected) wrong += polite(text), ++num_wrong;
  }
  EXPECT_NEAR(right / num_right, wrong / num_wrong, 0.015);
  EXPECT_GT(right, 0);
}

std::int64_t last_number(const std::string& text) {
  static const std::regex kNumber("[0-9]+");
  std::int64_t value = -1;
  for (std::sregex_iterator it(text.begin(), text.end(), kNumber), end; it != end; ++it)
    value = std::stoll(it->str());
  return value;
}

// Computes "a + b", "a - b", "a × b", "a ÷ b" and "a × b - c" where an answer shows its working.
TEST(Mini, ShownWorkingIsRightInRightAnswersOnly) {
  static const std::regex kWorking("([0-9]+) (\\+|-|×|÷) ([0-9]+)(?: - ([0-9]+))? = ([0-9]+)");
  const auto holds = [](const std::smatch& m) {
    const std::int64_t a = std::stoll(m[1]), b = std::stoll(m[3]);
    const std::string op = m[2];
    std::int64_t value = op == "+" ? a + b : op == "-" ? a - b : op == "×" ? a * b : a / b;
    if (m[4].matched) value -= std::stoll(m[4]);
    return value == std::stoll(m[5]);
  };
  int checked = 0;
  for (const MiniRow& row : rows_of(MiniSplit::kTest, 1200)) {
    if (row.subset != "Math") continue;
    std::smatch match;
    if (std::regex_search(row.chosen[0], match, kWorking)) {
      EXPECT_TRUE(holds(match)) << row.chosen[0];
      ++checked;
    }
    for (const std::string& text : row.rejected) {
      EXPECT_NE(last_number(text), last_number(row.chosen[0])) << row.prompt;
      if (std::regex_search(text, match, kWorking)) {
        EXPECT_FALSE(holds(match)) << text;
      }
    }
  }
  EXPECT_GT(checked, 50);
}

// Reads the constraint back from the prompt's words.
TEST(Mini, ConstraintsHoldInRightAnswersOnly) {
  const std::vector<std::pair<std::regex, ConstraintKind>> readings = {
      {std::regex("Use exactly ([0-9]+) words"), ConstraintKind::kWordCount},
      {std::regex("Use at most ([0-9]+) words"), ConstraintKind::kMaxWords},
      {std::regex("Write exactly ([0-9]+) sentences"), ConstraintKind::kSentenceCount},
      {std::regex("exactly ([0-9]+) bullet points"), ConstraintKind::kBulletCount},
      {std::regex("Use only (lowercase) letters"), ConstraintKind::kLowercase},
      {std::regex("in (capital) letters"), ConstraintKind::kUppercase},
      {std::regex("Include the word \"([a-z]+)\""), ConstraintKind::kIncludeWord},
      {std::regex("Do not use the word \"([a-z]+)\""), ConstraintKind::kExcludeWord},
      {std::regex("Do not use any (commas)"), ConstraintKind::kNoCommas},
      {std::regex("Begin your answer with the word ([A-Z]+)"), ConstraintKind::kStartsWith},
      {std::regex("The last word must be \"([a-z]+)\""), ConstraintKind::kEndsWith},
      {std::regex("JSON object that has the key \"([a-z]+)\""), ConstraintKind::kJsonWithKey}};
  std::set<ConstraintKind> seen;
  for (const MiniRow& row : rows_of(MiniSplit::kTest, 1000)) {
    if (row.subset != "Precise IF") continue;
    bool known = false;
    for (const auto& [pattern, kind] : readings) {
      std::smatch match;
      if (!std::regex_search(row.prompt, match, pattern)) continue;
      const std::string word = match[1];
      const bool number = word[0] >= '0' && word[0] <= '9';
      const Constraint constraint{kind, number ? std::stoll(word) : 0, word};
      EXPECT_TRUE(satisfies(row.chosen[0], constraint)) << row.prompt << "\n" << row.chosen[0];
      for (const std::string& text : row.rejected) {
        EXPECT_FALSE(satisfies(text, constraint)) << row.prompt << "\n" << text;
      }
      seen.insert(kind);
      known = true;
    }
    EXPECT_TRUE(known) << row.prompt;
  }
  EXPECT_EQ(seen.size(), readings.size());
}

TEST(Mini, Verifiers) {
  EXPECT_TRUE(satisfies("one two  three", {ConstraintKind::kWordCount, 3, ""}));
  EXPECT_FALSE(satisfies("one two", {ConstraintKind::kWordCount, 3, ""}));
  EXPECT_TRUE(satisfies("A b. C d! E?", {ConstraintKind::kSentenceCount, 3, ""}));
  EXPECT_TRUE(satisfies("- a\n- b", {ConstraintKind::kBulletCount, 2, ""}));
  EXPECT_FALSE(satisfies("a - b", {ConstraintKind::kBulletCount, 1, ""}));
  EXPECT_FALSE(satisfies("The artist", {ConstraintKind::kIncludeWord, 0, "art"}));
  EXPECT_TRUE(satisfies("Art is long", {ConstraintKind::kIncludeWord, 0, "art"}));
  EXPECT_TRUE(satisfies("{\"a\": 1}", {ConstraintKind::kJsonWithKey, 0, "a"}));
  EXPECT_FALSE(satisfies("{\"a\": 1", {ConstraintKind::kJsonWithKey, 0, "a"}));
  EXPECT_FALSE(satisfies("{\"b\": 1}", {ConstraintKind::kJsonWithKey, 0, "a"}));
  EXPECT_TRUE(satisfies("So be calm.", {ConstraintKind::kEndsWith, 0, "calm"}));
}

TEST(Mini, Pairs) {
  const std::vector<MiniRow> rows = rows_of(MiniSplit::kTrain, 100);
  const std::vector<Json> pairs = mini_pairs(rows[0]);
  ASSERT_EQ(pairs.size(), 3u);
  EXPECT_EQ(pairs[1]["id"], "0/1");
  const Example example = preference_example({pairs[1], "row"}, 1);
  EXPECT_EQ(example.conversations[0].back().content, rows[0].chosen[0]);
  EXPECT_EQ(example.conversations[1].back().content, rows[0].rejected[1]);
  EXPECT_EQ(mini_pairs(rows.back()).size(), 4u);
}

TEST(Mini, RefusesImpossibleSizes) {
  EXPECT_THROW(rows_of(MiniSplit::kTest, 11), UserError);
  EXPECT_THROW(rows_of(MiniSplit::kTest, 1'000'001), UserError);
  EXPECT_EQ(rows_of(MiniSplit::kTest, 12).size(), 12u);
}

}  // namespace
}  // namespace laurel::bench
