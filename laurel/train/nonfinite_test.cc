#include "laurel/train/nonfinite.h"

#include <gtest/gtest.h>

#include "laurel/train/objective.h"
#include "laurel/train/test_support.h"

namespace laurel::train {
namespace {

class NonfiniteTest : public testing::Test {
 protected:
  model::TrainableModel open() {
    write_tiny_checkpoint(folder_.path());
    return open_tiny(folder_.path(), pool_);
  }

  // Rewards stay finite, but the gradient of a pair in the wrong order overflows on its way through
  // the norm of the small embeddings; that of a pair in the right order is 0.
  void make_steep() {
    for (model::Parameter& parameter : model_.parameters()) {
      const bool is_head = parameter.name == "score.weight";
      if (!is_head && parameter.name != "model.embed_tokens.weight") continue;
      for (float& value : parameter.value) value *= is_head ? 1e37f : 1e-4f;
    }
  }

  // Examples that the model puts in the wrong order.
  std::vector<std::int64_t> wrong() {
    std::vector<std::int64_t> examples;
    for (const std::int64_t i : all_) {
      const auto sums = add_gradients(model_, set_, std::span(&i, 1), {}, {}, nullptr, pool_);
      EXPECT_TRUE(sums.nonfinite.empty());
      if (sums.accuracy == 0) examples.push_back(i);
    }
    return examples;
  }

  std::vector<std::int64_t> find(std::span<const std::int64_t> examples) {
    return find_nonfinite_gradients(model_, set_, examples, {}, pool_);
  }

  TestFolder folder_;
  ThreadPool pool_{1};
  model::TrainableModel model_ = open();
  data::TrainingSet set_ = tiny_set(6);
  const std::vector<std::int64_t> all_ = {0, 1, 2, 3, 4, 5};
};

TEST_F(NonfiniteTest, OnlyExamplesThatFailAloneAreNamed) {
  make_steep();
  const std::vector<std::int64_t> expected = wrong();
  ASSERT_GT(expected.size(), 0u);
  ASSERT_LT(expected.size(), all_.size());
  EXPECT_EQ(find(all_), expected);
  EXPECT_EQ(find(std::span(expected).first(1)), std::vector{expected[0]});
}

TEST_F(NonfiniteTest, AllOfThemWhereNoneFailsAlone) { EXPECT_EQ(find(all_), all_); }

TEST_F(NonfiniteTest, ADozenRowsHaveNames) {
  EXPECT_EQ(row_names(set_, all_),
            "pairs.jsonl:1, pairs.jsonl:2, pairs.jsonl:3, pairs.jsonl:4, pairs.jsonl:5, "
            "pairs.jsonl:6");
  const std::vector<std::int64_t> many(14, 2);
  EXPECT_TRUE(row_names(set_, many).ends_with("pairs.jsonl:3 and 2 more"));
}

}  // namespace
}  // namespace laurel::train
