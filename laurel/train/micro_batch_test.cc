#include "laurel/train/micro_batch.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <numeric>

namespace laurel::train {
namespace {

using Tokens = std::vector<std::int32_t>;

data::TrainingSet random_set(std::int64_t count) {
  data::TrainingSet set;
  for (std::int64_t i = 0; i < count; ++i) {
    data::TrainingExample example;
    const auto completions = *rc::gen::inRange(2, 4);
    for (int k = 0; k < completions; ++k) {
      example.sequences.push_back(
          *rc::gen::nonEmpty(rc::gen::container<Tokens>(rc::gen::inRange(0, 2))));
    }
    set.examples.push_back(std::move(example));
  }
  return set;
}

// The tokens on the path to a score point.
Tokens path_to(const packing::Pack& pack, const packing::ScorePoint& point) {
  Tokens path;
  std::int64_t rows = point.index_in_segment + 1;
  for (std::int32_t s = point.segment; s >= 0;) {
    const packing::Segment& segment = pack.segments[static_cast<std::size_t>(s)];
    path.insert(path.begin(), pack.tokens.begin() + segment.row_offset,
                pack.tokens.begin() + segment.row_offset + rows);
    s = segment.parent;
    if (s >= 0) rows = pack.segments[static_cast<std::size_t>(s)].num_rows;
  }
  return path;
}

void expect_holds_its_sequences(const data::TrainingSet& set, const MicroBatch& batch) {
  std::vector<Tokens> sequences;
  for (const std::int64_t index : batch.examples) {
    for (const Tokens& tokens : set.examples[static_cast<std::size_t>(index)].sequences) {
      sequences.push_back(tokens);
    }
  }
  RC_ASSERT(batch.pack.score_points.size() == sequences.size());
  std::int64_t num_tokens = 0;
  for (const packing::ScorePoint& point : batch.pack.score_points) {
    const Tokens& tokens = sequences.at(static_cast<std::size_t>(point.sequence));
    RC_ASSERT(path_to(batch.pack, point) == tokens);
    num_tokens += static_cast<std::int64_t>(tokens.size());
  }
  RC_ASSERT(batch.num_tokens == num_tokens);
  RC_ASSERT(batch.padded_tokens >= num_tokens);
}

TEST(MicroBatch, HoldEveryExampleOnceAndWithinLimits) {
  EXPECT_TRUE(rc::check("random examples over two tokens", [] {
    const data::TrainingSet set = random_set(*rc::gen::inRange(1, 12));
    std::vector<std::int64_t> examples(set.examples.size());
    std::iota(examples.begin(), examples.end(), 0);
    const MicroBatchOptions options = {.num_parts = *rc::gen::inRange(1, 5),
                                       .max_tokens = *rc::gen::inRange(1, 60),
                                       .examples_alone = *rc::gen::arbitrary<bool>()};
    const auto batches = plan_micro_batches(set, examples, options);
    std::vector<std::int64_t> seen;
    for (const MicroBatch& batch : batches) {
      expect_holds_its_sequences(set, batch);
      RC_ASSERT(static_cast<std::int64_t>(batch.pack.tokens.size()) <= options.max_tokens ||
                batch.examples.size() == 1);
      seen.insert(seen.end(), batch.examples.begin(), batch.examples.end());
    }
    RC_ASSERT(seen == examples);
    RC_ASSERT(static_cast<std::int64_t>(batches.size()) >=
              std::min<std::int64_t>(options.num_parts, static_cast<std::int64_t>(seen.size())));
  }));
}

TEST(MicroBatch, AnExampleAloneHasTheSameRowsInEveryBatch) {
  EXPECT_TRUE(rc::check("random examples", [] {
    const data::TrainingSet set = random_set(3);
    const MicroBatch together = make_micro_batch(set, std::vector<std::int64_t>{2, 0, 1}, true);
    std::size_t row = 0;
    for (const std::int64_t index : together.examples) {
      const MicroBatch alone = make_micro_batch(set, std::vector<std::int64_t>{index}, true);
      for (std::size_t i = 0; i < alone.pack.tokens.size(); ++i, ++row) {
        RC_ASSERT(together.pack.tokens[row] == alone.pack.tokens[i]);
        RC_ASSERT(together.pack.positions[row] == alone.pack.positions[i]);
      }
    }
    RC_ASSERT(row == together.pack.tokens.size());
  }));
}

TEST(MicroBatch, SharesAPromptUnlessExamplesAreAlone) {
  data::TrainingSet set;
  set.examples.push_back({.sequences = {{1, 2, 3, 4}, {1, 2, 3, 5}}});
  set.examples.push_back({.sequences = {{1, 2, 3, 6}, {1, 2, 7}}});
  const std::vector<std::int64_t> both = {0, 1};
  EXPECT_EQ(make_micro_batch(set, both, false).pack.tokens.size(), 7u);
  const MicroBatch alone = make_micro_batch(set, both, true);
  EXPECT_EQ(alone.pack.tokens.size(), 5u + 5u);
  EXPECT_EQ(alone.num_tokens, 15);
  EXPECT_EQ(alone.padded_tokens, 16);
}

}  // namespace
}  // namespace laurel::train
