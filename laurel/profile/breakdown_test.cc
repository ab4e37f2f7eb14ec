#include "laurel/profile/breakdown.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace laurel::profile {
namespace {

using ::testing::HasSubstr;

constexpr MachineRates kRates = {.peak_flops = 220, .product_flops = 200, .memory_bytes = 10};

TEST(Breakdown, NamesWhatHoldsAnOpBack) {
  const std::vector<kernels::OpCount> counts = {
      {"small", 9, 5, 200, 1},      // 1 s would do
      {"product", 2, 10, 1800, 4},  // 9 s
      {"stream", 1, 4, 0, 38},      // 3.8 s
      {"cached", 1, 1, 10, 30},     // 3 s from memory
      {"hot", 1, 1, 190, 30},       // its operands were in a cache, too
  };
  const Breakdown breakdown = break_down(counts, 25, kRates);
  std::vector<std::string> names;
  std::vector<Limit> limits;
  for (const OpShare& op : breakdown.ops) {
    names.push_back(op.count.name);
    limits.push_back(op.limit);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"product", "small", "stream", "cached", "hot"}));
  EXPECT_EQ(limits, (std::vector<Limit>{Limit::kArithmetic, Limit::kOverhead, Limit::kMemory,
                                        Limit::kCache, Limit::kArithmetic}));
  EXPECT_EQ(breakdown.ops[0].share, 0.4);
  EXPECT_EQ(breakdown.ops[0].least_seconds, 9);
  EXPECT_EQ(breakdown.flops, 2200);
  EXPECT_EQ(breakdown.rest_seconds, 4);
}

TEST(Breakdown, TableAndJson) {
  Breakdown breakdown =
      break_down(std::vector<kernels::OpCount>{{"linear 4 → 5", 3, 2, 3e9, 1e9}}, 4, kRates);
  breakdown.sequence_tokens = 80;
  breakdown.physical_tokens = 60;
  const std::string table = to_table(breakdown, "text and tokens");
  EXPECT_THAT(table, HasSubstr("linear 4 → 5"));
  EXPECT_THAT(table, HasSubstr("3     2.000   50.0%       1.5     0.5"));
  EXPECT_THAT(table, HasSubstr("text and tokens"));
  const Json json = to_json(breakdown);
  EXPECT_EQ(json["tokens_per_second"], 20);
  EXPECT_EQ(json["gflops"], 0.75);
  EXPECT_EQ(json["ops"][0]["calls"], 3);
  EXPECT_EQ(json["rest_seconds"], 2);
}

}  // namespace
}  // namespace laurel::profile
