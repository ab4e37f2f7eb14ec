#include "laurel/bench/aggregation.h"

#include <gtest/gtest.h>

#include <cmath>

#include "laurel/base/random.h"
#include "laurel/bench/bootstrap.h"

namespace laurel::bench {
namespace {

using Scores = std::vector<double>;

std::vector<TiesPair> pairs_of(const std::vector<schema::ScoredExample>& examples) {
  std::vector<TiesPair> pairs;
  for (const auto& [number, pair] : ties_pairs(examples)) pairs.push_back(pair);
  return pairs;
}

schema::ScoredExample ties_example(std::string id, std::int64_t num_correct, Scores scores) {
  schema::ScoredExample example;
  example.id = std::move(id);
  example.subset = "Ties";
  example.num_correct = num_correct;
  example.scores = std::move(scores);
  return example;
}

TEST(BestOfN, ExactTiesShareTheResult) {
  EXPECT_EQ(best_of_n_result(Scores{3, 1, 2, 0}), 1);
  EXPECT_EQ(best_of_n_result(Scores{2, 1, 3, 0}), 0);
  EXPECT_EQ(best_of_n_result(Scores{2, 2, 1, 0}), 0.5);
  EXPECT_EQ(best_of_n_result(Scores{2, 2, 2, 0}), 1.0 / 3);
  EXPECT_EQ(best_of_n_result(Scores{2, 2, 2, 2}), 0.25);
  EXPECT_EQ(best_of_n_result(Scores{1, 2, 2, 0}), 0);
}

// The example worked out by hand in docs/evaluation.md.
TEST(Ties, WorkedExample) {
  const auto pairs = pairs_of(
      {ties_example("tied:0", 3, {2.0, 1.5, 1.25, 0.5, -1.0}),
       ties_example("ref:0", 1, {3.0, 1.0, 0.25}),
       ties_example("tied:1", 2, {1.0, 0.0, 0.25, -2.0}), ties_example("ref:1", 1, {0.5, 0.75}),
       ties_example("tied:2", 2, {2.0, 2.0, 1.0}), ties_example("ref:2", 1, {4.0, 1.5, 1.0})});
  const TiesScore score = ties_score(pairs);
  EXPECT_DOUBLE_EQ(score.tied_accuracy, 2.0 / 3);
  EXPECT_DOUBLE_EQ(score.ref_accuracy, 2.0 / 3);
  EXPECT_DOUBLE_EQ(score.preferred, 1.0 / 3);
  EXPECT_DOUBLE_EQ(score.preferred_hard, 1.0 / 3);
  EXPECT_NEAR(score.margin, 0.050572120014162, 1e-14);
  EXPECT_NEAR(score.score(), 0.533839054533475, 1e-14);
}

TEST(Ties, SpreadOfZero) {
  const auto margin = [](double tied_wrong, double ref_gap) {
    return ties_score(pairs_of({ties_example("tied:0", 2, {1, 1, tied_wrong}),
                                ties_example("ref:0", 1, {ref_gap, 0})}))
        .margin;
  };
  EXPECT_EQ(margin(0, 1), 1);
  EXPECT_EQ(margin(2, 1), -1);
  EXPECT_EQ(margin(1, 1), 0);
  EXPECT_EQ(margin(0, -1), -1);
}

TEST(Ties, RowsWithoutPartnerCountInAccuracyOnly) {
  const TiesScore score = ties_score(
      pairs_of({ties_example("tied:0", 2, {2, 1.5, 1}), ties_example("ref:0", 1, {3, 1}),
                ties_example("tied:1", 2, {0, 0, 1}), ties_example("ref:7", 1, {0, 1})}));
  EXPECT_EQ(score.tied_accuracy, 0.5);
  EXPECT_EQ(score.ref_accuracy, 0.5);
  EXPECT_EQ(score.preferred, 0);  // 0.5 > 0.5 is false: strict
  EXPECT_EQ(score.preferred_hard, 0);
  EXPECT_EQ(score.margin, 0);
}

TEST(Ties, NoCompletePairIsUndefined) {
  const TiesScore score = ties_score(pairs_of({ties_example("tied:0", 2, {2, 1.5, 1})}));
  EXPECT_EQ(score.tied_accuracy, 1);
  EXPECT_EQ(score.ref_accuracy, 0);
  EXPECT_TRUE(std::isnan(score.score()));
}

TEST(Ties, EqualRightAndWrongIsNotAccurate) {
  EXPECT_FALSE(ties_row(Scores{1, 2, 1}, 2).accurate());
}

TEST(RmBench, WorkedExample) {
  const StyleWins wins = style_wins(Scores{1, 2, 3, 0.5, 2, 2.5});
  EXPECT_DOUBLE_EQ(wins.hard(), 0);
  EXPECT_DOUBLE_EQ(wins.normal(), 2.0 / 3);
  EXPECT_DOUBLE_EQ(wins.easy(), 1);
  EXPECT_DOUBLE_EQ(wins.total(), 5.0 / 9);
}

TEST(RewardBench, PairsAreStrict) {
  EXPECT_EQ(pair_result(1, 0), 1);
  EXPECT_EQ(pair_result(1, 1), 0);
}

TEST(Bootstrap, IsDeterministicAndHoldsTheMean) {
  const Scores values = {0, 1, 1, 0, 1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 0, 1};
  const auto interval = interval_of(bootstrap_mean(values, 1));
  ASSERT_TRUE(interval);
  EXPECT_LT(interval->low, mean(values));
  EXPECT_GT(interval->high, mean(values));
  EXPECT_GT(interval->high - interval->low, 0.2);  // normal theory: 2·1.96·sqrt(0.7·0.3/20) = 0.4
  EXPECT_LT(interval->high - interval->low, 0.5);
  EXPECT_EQ(bootstrap_mean(values, 1), bootstrap_mean(values, 1));
  EXPECT_NE(bootstrap_mean(values, 1), bootstrap_mean(values, 2));
  EXPECT_FALSE(interval_of(bootstrap_mean({}, 1)));
}

TEST(Bootstrap, CombinesByWeight) {
  const Replicates ones(kBootstrapReplicates, 1.0);
  const Replicates zeros(kBootstrapReplicates, 0.0);
  EXPECT_DOUBLE_EQ(combine({ones, zeros}, {3, 1})[5], 0.75);
  EXPECT_TRUE(combine({ones, {}}, {1, 1}).empty());
}

// Pinned: the numbers must not change between machines or versions.
TEST(Random, IsTheSameEverywhere) {
  Random random(42);
  EXPECT_EQ(random.next(), 13679457532755275413u);
  EXPECT_EQ(random.next(), 2949826092126892291u);
  Random dice(7, "dice");
  std::vector<std::int64_t> throws;
  for (int i = 0; i < 1000; ++i) throws.push_back(dice.between(1, 6));
  EXPECT_EQ(*std::min_element(throws.begin(), throws.end()), 1);
  EXPECT_EQ(*std::max_element(throws.begin(), throws.end()), 6);
}

}  // namespace
}  // namespace laurel::bench
