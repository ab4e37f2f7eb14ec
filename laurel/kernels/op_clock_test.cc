#include "laurel/kernels/op_clock.h"

#include <gtest/gtest.h>

#include "laurel/base/error.h"
#include "laurel/kernels/attention_plan.h"
#include "laurel/kernels/attention_test_data.h"
#include "laurel/kernels/backward.h"
#include "laurel/kernels/ops.h"
#include "laurel/kernels/peak.h"

namespace laurel::kernels {
namespace {

using namespace testing;

TEST(OpClock, CountsWhatOpsWereAskedToDo) {
  ThreadPool pool(2);
  const std::vector<float> x(3 * 4, 1), w(5 * 4, 1);
  std::vector<float> y(3 * 5);
  const auto multiply = [&] {
    linear({x.data(), 3, 4, 4}, {w.data(), DType::kF32, 5, 4}, {}, {y.data(), 3, 5, 5},
           Accumulate::kNo, pool);
  };
  multiply();  // before the clock
  OpClock clock;
  multiply();
  multiply();
  silu_mul({y.data(), 3, 5, 5}, {y.data(), 3, 5, 5}, pool);
  ASSERT_EQ(clock.counts().size(), 2u);
  const OpCount& product = clock.counts()[0];
  EXPECT_EQ(product.name, "linear 4 → 5");
  EXPECT_EQ(product.calls, 2);
  EXPECT_EQ(product.flops, 2 * 2 * 3 * 4 * 5);
  EXPECT_EQ(product.bytes, 2 * 4 * (3 * 4 + 4 * 5 + 3 * 5));
  EXPECT_GT(product.seconds, 0);
  EXPECT_EQ(clock.counts()[1].name, "silu_mul");
  EXPECT_EQ(clock.counts()[1].calls, 1);
  EXPECT_EQ(clock.counts()[1].flops, 0);
}

TEST(OpClock, AnOpWithinAnOpIsPartOfIt) {
  ThreadPool pool(1);
  const std::vector<float> dx(2 * 3, 1);
  std::vector<float> table(4 * 3);
  const std::vector<std::int32_t> ids = {3, 0};
  OpClock clock;
  embedding_backward(ids, {dx.data(), 2, 3, 3}, {table.data(), 4, 3, 3}, pool);
  ASSERT_EQ(clock.counts().size(), 1u);
  EXPECT_EQ(clock.counts()[0].name, "embedding backward");
}

TEST(OpClock, ThereIsOneAtATime) {
  {
    const OpClock clock;
    EXPECT_THROW(OpClock(), InternalError);
  }
  EXPECT_NO_THROW(OpClock());
}

// By visiting every pair.
double count_pairs(const Forest& forest, const std::vector<QueryRun>& runs, std::int64_t window) {
  double pairs = 0;
  for (const QueryRun& run : runs) {
    for (std::int64_t i = 0; i < run.num_rows; ++i) {
      const AttentionSegment& own = forest.segments[static_cast<std::size_t>(run.segment)];
      const std::int64_t position = own.start + run.first + i;
      for (std::int32_t s = run.segment; s >= 0;
           s = forest.segments[static_cast<std::size_t>(s)].parent) {
        const AttentionSegment& keys = forest.segments[static_cast<std::size_t>(s)];
        for (std::int64_t j = keys.start; j < keys.start + keys.num_rows; ++j) {
          if (j <= position && (window == 0 || j > position - window)) ++pairs;
        }
      }
    }
  }
  return pairs;
}

TEST(VisiblePairs, AreThoseThatAttentionVisits) {
  std::mt19937 rng(1);
  for (int i = 0; i < 50; ++i) {
    const Forest forest = random_forest(rng, 6, 30);
    std::vector<QueryRun> runs = forest.whole_runs();
    runs.push_back({0, forest.segments[0].num_rows - 1, 1, 0});  // a score point
    for (const std::int64_t window : {0, 1, 7, 1000}) {
      EXPECT_EQ(visible_pairs(forest.segments, runs, window), count_pairs(forest, runs, window));
    }
  }
}

TEST(VisiblePairs, AreDealtEvenlyToSixtyFourThreads) {
  Forest forest;  // 10 prompts of 200 tokens with 4 completions of 50
  for (int i = 0; i < 10; ++i) {
    forest.add(-1, 200);
    const auto prompt = static_cast<std::int32_t>(forest.segments.size() - 1);
    for (int k = 0; k < 4; ++k) forest.add(prompt, 50);
  }
  for (const AttentionShape& shape : {shape_of(9, 3, 64), shape_of(32, 8, 128)}) {
    std::int64_t largest = 0, total = 0;
    for (const auto& share : plan_attention(forest.segments, forest.whole_runs(), shape, 64)) {
      std::int64_t cost = 0;
      for (const AttentionPiece& piece : share) cost += piece.cost;
      largest = std::max(largest, cost);
      total += cost;
    }
    EXPECT_GE(static_cast<double>(total) / 64 / static_cast<double>(largest), 0.75)
        << shape.num_heads;
  }
}

TEST(Peak, IsThatOfAllThreads) {
  ThreadPool pool(1);
  const double flops = measure_peak_flops(pool);
  EXPECT_GT(flops, 1e6);  // any machine
  EXPECT_LT(flops, 1e13);
}

}  // namespace
}  // namespace laurel::kernels
