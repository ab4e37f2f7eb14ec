#include "laurel/packing/forest.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>

namespace laurel::packing {
namespace {

using Tokens = std::vector<std::int32_t>;

std::vector<Sequence> as_sequences(const std::vector<Tokens>& tokens,
                                   std::int32_t first_position = 0) {
  std::vector<Sequence> sequences;
  for (const Tokens& item : tokens) sequences.push_back({item, first_position});
  return sequences;
}

// Tokens and positions on the path from the root to a score point.
struct Path {
  Tokens tokens;
  Tokens positions;
};

Path path_to(const Pack& pack, const ScorePoint& point) {
  std::vector<std::int32_t> chain;
  for (std::int32_t s = point.segment; s >= 0;
       s = pack.segments[static_cast<std::size_t>(s)].parent) {
    chain.push_back(s);
  }
  Path path;
  for (auto it = chain.rbegin(); it != chain.rend(); ++it) {
    const Segment& segment = pack.segments[static_cast<std::size_t>(*it)];
    const std::int64_t rows = *it == point.segment ? point.index_in_segment + 1 : segment.num_rows;
    for (std::int64_t r = 0; r < rows; ++r) {
      path.tokens.push_back(pack.tokens[static_cast<std::size_t>(segment.row_offset + r)]);
      path.positions.push_back(pack.positions[static_cast<std::size_t>(segment.row_offset + r)]);
    }
  }
  return path;
}

// Every promise of the header, for any input.
void expect_valid_plan(const std::vector<Sequence>& sequences, const PlanOptions& options) {
  const std::vector<Pack> packs = plan_packs(sequences, options);
  std::map<std::int64_t, int> seen;
  for (const Pack& pack : packs) {
    std::int64_t row = 0;
    for (std::size_t i = 0; i < pack.segments.size(); ++i) {
      const Segment& segment = pack.segments[i];
      RC_ASSERT(segment.row_offset == row);
      RC_ASSERT(segment.num_rows > 0);
      RC_ASSERT(segment.parent < static_cast<std::int32_t>(i));
      if (segment.parent >= 0) {
        const Segment& parent = pack.segments[static_cast<std::size_t>(segment.parent)];
        RC_ASSERT(segment.start == parent.start + parent.num_rows);
      }
      row += segment.num_rows;
    }
    RC_ASSERT(row == static_cast<std::int64_t>(pack.tokens.size()));
    RC_ASSERT(pack.tokens.size() == pack.positions.size());
    RC_ASSERT(row <= options.max_tokens || pack.score_points.size() == 1);
    RC_ASSERT(!options.separate_ends || has_separate_ends(pack));
    for (const ScorePoint& point : pack.score_points) {
      const Sequence& sequence = sequences[static_cast<std::size_t>(point.sequence)];
      const Path path = path_to(pack, point);
      RC_ASSERT(path.tokens == Tokens(sequence.tokens.begin(), sequence.tokens.end()));
      for (std::size_t i = 0; i < path.positions.size(); ++i) {
        RC_ASSERT(path.positions[i] == sequence.first_position + static_cast<std::int32_t>(i));
      }
      ++seen[point.sequence];
    }
  }
  RC_ASSERT(seen.size() == sequences.size());
  for (const auto& [sequence, times] : seen) RC_ASSERT(times == 1);
}

TEST(PlanPacks, HoldsItsPromisesForAnySequences) {
  EXPECT_TRUE(rc::check("random sequences over two tokens share much", [] {
    const auto tokens = *rc::gen::container<std::vector<Tokens>>(
        rc::gen::nonEmpty(rc::gen::container<Tokens>(rc::gen::inRange(0, 2))));
    PlanOptions options;
    options.max_tokens = *rc::gen::inRange(1, 60);
    options.share_prefixes = *rc::gen::arbitrary<bool>();
    options.separate_ends = *rc::gen::arbitrary<bool>();
    std::vector<Sequence> sequences = as_sequences(tokens);
    for (Sequence& sequence : sequences) sequence.first_position = *rc::gen::inRange(0, 2);
    expect_valid_plan(sequences, options);
  }));
}

TEST(PlanPacks, ComputesAPromptOnce) {
  const std::vector<Tokens> tokens = {{1, 2, 3, 7, 8}, {1, 2, 3, 9}, {5}, {1, 2, 3, 7, 8}, {1, 2}};
  const std::vector<Sequence> sequences = as_sequences(tokens);
  const std::vector<Pack> packs = plan_packs(sequences);
  ASSERT_EQ(packs.size(), 1u);
  EXPECT_EQ(packs[0].tokens.size(), 7u);  // 1 2 | 3 | 7 8 | 9 ; 5
  const PlanStatistics counts = statistics(sequences, packs);
  EXPECT_EQ(counts.sequence_tokens, 17);
  EXPECT_EQ(counts.physical_tokens, 7);
  EXPECT_EQ(counts.attention_pairs, 1 + 2 + 3 + 4 + 5 + 4 + 1);
}

TEST(PlanPacks, SeparatesTheEndsOfPrefixesIfAsked) {
  const std::vector<Tokens> tokens = {{1, 2, 3, 7, 8}, {1, 2, 3, 9}, {5}, {1, 2, 3, 7, 8}, {1, 2}};
  const std::vector<Sequence> sequences = as_sequences(tokens);
  PlanOptions options;
  EXPECT_FALSE(has_separate_ends(plan_packs(sequences, options).at(0)));
  options.separate_ends = true;
  const std::vector<Pack> packs = plan_packs(sequences, options);
  ASSERT_EQ(packs.size(), 1u);
  EXPECT_EQ(packs[0].tokens.size(), 10u);  // 1 2 | 3 7 8 | 3 9 ; 1 2 ; 5
  EXPECT_TRUE(has_separate_ends(packs[0]));
}

TEST(PlanPacks, WithoutSharingEverySequenceIsARoot) {
  const std::vector<Tokens> tokens = {{1, 2}, {1, 2}, {1}};
  PlanOptions options;
  options.share_prefixes = false;
  const std::vector<Pack> packs = plan_packs(as_sequences(tokens), options);
  ASSERT_EQ(packs.size(), 1u);
  EXPECT_EQ(packs[0].segments.size(), 3u);
  EXPECT_EQ(packs[0].tokens.size(), 5u);
}

TEST(PlanPacks, DifferentFirstPositionsDoNotShare) {
  const Tokens tokens = {4, 4, 4};
  const std::vector<Pack> packs = plan_packs(std::vector<Sequence>{{tokens, 0}, {tokens, 1}});
  ASSERT_EQ(packs.size(), 1u);
  EXPECT_EQ(packs[0].tokens.size(), 6u);
}

TEST(PlanPacks, CutsBetweenGroupsRatherThanInside) {
  // Groups of four that share 20 tokens; each group takes 28 rows, and a pack holds 100.
  std::vector<Tokens> tokens;
  for (int group = 0; group < 8; ++group) {
    for (int leaf = 0; leaf < 4; ++leaf) {
      Tokens item(20, group);
      item.insert(item.end(), {100 + leaf, 200});
      tokens.push_back(item);
    }
  }
  PlanOptions options;
  options.max_tokens = 100;
  const std::vector<Sequence> sequences = as_sequences(tokens);
  const PlanStatistics counts = statistics(sequences, plan_packs(sequences, options));
  EXPECT_EQ(counts.physical_tokens, 8 * 28);  // no prefix twice
}

TEST(PlanPacks, NothingGivesNoPack) { EXPECT_TRUE(plan_packs({}).empty()); }

}  // namespace
}  // namespace laurel::packing
