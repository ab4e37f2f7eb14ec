// Which rows of a pack are first and last of their sequences.
#include "laurel/model/pack_layout.h"

#include <gtest/gtest.h>

#include <vector>

#include "laurel/model/golden_test_support.h"

namespace laurel::model {
namespace {

using Indexes = std::vector<std::int32_t>;

class PackLayoutTest : public testing::Test {
 protected:
  // Of one pack with these sequences.
  PackLayout layout_of(const Rows& rows, bool separate_ends) {
    std::vector<packing::Sequence> sequences;
    for (const auto& row : rows) sequences.push_back({row});
    pack_ = packing::plan_packs(sequences, {.separate_ends = separate_ends}).at(0);
    return PackLayout(read_config(golden("llama")), pack_);
  }

  packing::Pack pack_;
};

TEST_F(PackLayoutTest, FindsFirstAndLastRows) {
  // 1 2 3 | 4 5 6 and 4 7 8 below it; 9
  const PackLayout layout = layout_of({{1, 2, 3, 4, 5, 6}, {1, 2, 3, 7, 8}, {9}}, true);
  EXPECT_EQ(pack_.tokens, (Indexes{1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(layout.first_rows, (Indexes{0, 1, 2, 3, 6, 8}));
  EXPECT_EQ(layout.end_rows, (Indexes{4, 5, 6, 7, 8}));
  EXPECT_EQ(layout.all.fine_rows, (Indexes{0, 1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(layout.scored.rows, (Indexes{5, 7, 8}));
  EXPECT_EQ(layout.scored.fine_rows, (Indexes{0, 1, 2}));
}

TEST_F(PackLayoutTest, EqualSequencesShareTheirLastRows) {
  const PackLayout layout = layout_of({{1, 2, 3, 4, 5, 6, 7}, {1, 2, 3, 4, 5, 6, 7}}, true);
  EXPECT_EQ(layout.end_rows, (Indexes{5, 6}));
  EXPECT_EQ(layout.all.fine_rows, (Indexes{0, 1, 2, 3, 5, 6}));
}

// A prefix that ends within another sequence: its rows would be both, so they are there twice.
TEST_F(PackLayoutTest, SeparateEndsKeepFineRowsApart) {
  const Rows rows = {{1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 3, 4, 5, 6, 7}};
  EXPECT_EQ(layout_of(rows, true).num_rows, 11);
  EXPECT_EQ(layout_of(rows, false).num_rows, 9);
}

}  // namespace
}  // namespace laurel::model
