#include "laurel/train/sampler.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>

namespace laurel::train {
namespace {

TEST(Sampler, EveryEpochHasEachExampleOnce) {
  EXPECT_TRUE(rc::check("any size, batch and seed", [] {
    const RunLength length = {.num_examples = *rc::gen::inRange(1, 40),
                              .batch_size = *rc::gen::inRange(1, 50)};
    Sampler sampler(
        {.seed = *rc::gen::arbitrary<std::uint64_t>(), .shuffle = *rc::gen::arbitrary<bool>()},
        length);
    for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
      std::vector<std::int64_t> seen;
      for (std::int64_t i = 1; i <= sampler.steps_per_epoch(); ++i) {
        const std::int64_t step = epoch * sampler.steps_per_epoch() + i;
        RC_ASSERT(sampler.epoch_of(step) == epoch);
        const auto examples = sampler.examples_of(step);
        RC_ASSERT(!examples.empty());
        if (i < sampler.steps_per_epoch()) {
          RC_ASSERT(static_cast<std::int64_t>(examples.size()) == length.batch_size);
        }
        seen.insert(seen.end(), examples.begin(), examples.end());
      }
      std::sort(seen.begin(), seen.end());
      RC_ASSERT(static_cast<std::int64_t>(seen.size()) == length.num_examples);
      for (std::size_t i = 0; i < seen.size(); ++i) {
        RC_ASSERT(seen[i] == static_cast<std::int64_t>(i));
      }
    }
  }));
}

// The order is part of what a seed means: these numbers must never change.
TEST(Sampler, OrderOfASeed) {
  Sampler sampler({.seed = 7}, {.num_examples = 8, .batch_size = 8});
  const auto first = sampler.examples_of(1);
  const auto second = sampler.examples_of(2);
  EXPECT_EQ(first, (std::vector<std::int64_t>{3, 2, 5, 7, 4, 6, 1, 0}));
  EXPECT_NE(first, second);
  EXPECT_EQ(sampler.examples_of(1), first);  // asked for again, after another epoch
  Sampler other({.seed = 8}, {.num_examples = 8, .batch_size = 8});
  EXPECT_NE(other.examples_of(1), first);
}

TEST(Sampler, WithoutShufflingTheOrderIsTheSets) {
  Sampler sampler({.shuffle = false}, {.num_examples = 5, .batch_size = 2});
  EXPECT_EQ(sampler.examples_of(1), (std::vector<std::int64_t>{0, 1}));
  EXPECT_EQ(sampler.examples_of(3), (std::vector<std::int64_t>{4}));
  EXPECT_EQ(sampler.examples_of(4), (std::vector<std::int64_t>{0, 1}));
  EXPECT_DOUBLE_EQ(sampler.epochs_done(2), 0.8);
  EXPECT_DOUBLE_EQ(sampler.epochs_done(3), 1);
  EXPECT_DOUBLE_EQ(sampler.epochs_done(4), 1.4);
}

}  // namespace
}  // namespace laurel::train
