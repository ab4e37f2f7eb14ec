// Rewards of tiny models against transformers, and the promises that hold for any pack.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <random>

#include "laurel/base/error.h"
#include "laurel/base/json.h"
#include "laurel/kernels/ops.h"
#include "laurel/kernels/test_isas.h"
#include "laurel/model/golden_test_support.h"
#include "laurel/model/reward_model.h"

namespace laurel::model {
namespace {

namespace fs = std::filesystem;

struct Expected {
  Rows rows;
  std::vector<double> rewards;  // of the peer, in float64
  double peer_error = 0;        // largest distance of its float32 rewards from these
};

Expected read_expected(const std::string& name) {
  const Json json = read_json_file(golden(name) / "expected.json");
  Expected expected{json["input_ids"].get<Rows>(), json["rewards_f64"].get<std::vector<double>>()};
  const auto single = json["rewards"].get<std::vector<double>>();
  for (std::size_t i = 0; i < single.size(); ++i) {
    expected.peer_error = std::max(expected.peer_error, std::abs(single[i] - expected.rewards[i]));
  }
  return expected;
}

// Float32 in another order of additions than the peer's float32: as near to float64 as the peer,
// times `factor`.
void expect_near(const std::vector<float>& rewards, const Expected& expected, double factor = 4) {
  ASSERT_EQ(rewards.size(), expected.rewards.size());
  const double bound = factor * expected.peer_error;
  for (std::size_t i = 0; i < rewards.size(); ++i) {
    EXPECT_NEAR(rewards[i], expected.rewards[i], bound) << "row " << i << ", bound " << bound;
  }
}

class EveryIsa : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { kernels::select_isa(GetParam()); }
  void TearDown() override { kernels::select_isa("best"); }
};

TEST_P(EveryIsa, RewardsOfEachFamilyMatchTransformers) {
  ThreadPool pool(2);
  for (const char* name : {"llama", "llama_bias_head_dim", "llama_rope_llama3", "llama_rope_linear",
                           "llama_rope_yarn", "qwen2", "qwen2_window"}) {
    SCOPED_TRACE(name);
    const RewardModel model({golden(name), {}, Precision::kF32}, pool);
    const Expected expected = read_expected(name);
    expect_near(rewards_of(model, expected.rows, {}, pool), expected);
  }
}

TEST_P(EveryIsa, BitsDoNotDependOnSharingBatchingOrThreads) {
  ThreadPool one(1);
  const RewardModel model({golden("qwen2_window"), {}, Precision::kF32}, one);
  const Rows rows = read_expected("qwen2_window").rows;
  const std::vector<float> alone =
      rewards_of(model, rows, {1, true}, one);  // each row a pack of its own
  for (const int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    for (const std::int64_t batch : {64, 300, 4096}) {
      for (const bool share : {false, true}) {
        EXPECT_EQ(rewards_of(model, rows, {batch, share}, pool), alone)
            << threads << " threads, batch " << batch << ", sharing " << share;
      }
    }
  }
  Rows shuffled = rows;
  std::mt19937 generator(1);
  std::shuffle(shuffled.begin(), shuffled.end(), generator);
  const std::vector<float> other_order = rewards_of(model, shuffled, {}, one);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto place = std::find(shuffled.begin(), shuffled.end(), rows[i]) - shuffled.begin();
    EXPECT_EQ(other_order[static_cast<std::size_t>(place)], alone[i]);
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, EveryIsa, testing::ValuesIn(kernels::testing::tested_isas()),
                         [](const auto& test) { return test.param; });

TEST(RewardModel, MergesAdaptersAsPeftDoes) {
  ThreadPool pool(1);
  for (const char* name : {"llama_lora", "llama_dora"}) {
    SCOPED_TRACE(name);
    const RewardModel model({golden("llama"), golden(name), Precision::kF32}, pool);
    const Expected expected = read_expected(name);
    expect_near(rewards_of(model, expected.rows, {}, pool), expected);
  }
}

TEST(RewardModel,
     ShiftedPositionsChangeLittle) {  // rotary embedding is relative; window and causality too
  ThreadPool pool(1);
  const RewardModel model({golden("qwen2_window"), {}, Precision::kF32}, pool);
  const Expected expected = read_expected("qwen2_window");
  expect_near(rewards_of(model, expected.rows, {}, pool, 1), expected, 8);
}

TEST(RewardModel, Bfloat16RoundsAndStaysNear) {
  ThreadPool pool(1);
  const RewardModel model({golden("llama"), {}, Precision::kBF16}, pool);
  const Expected expected = read_expected("llama");
  const std::vector<float> rewards = rewards_of(model, expected.rows, {}, pool);
  double largest_error = 0, scale = 0;
  for (std::size_t i = 0; i < rewards.size(); ++i) {
    largest_error = std::max(largest_error, std::abs(rewards[i] - expected.rewards[i]));
    scale = std::max(scale, std::abs(expected.rewards[i]));
  }
  EXPECT_GT(largest_error, 1e-6 * scale);  // it does round
  EXPECT_LT(largest_error, 0.1 * scale);   // about 2^-8 per operation
}

TEST(RewardModel, RefusesTokensOutsideTheVocabulary) {
  ThreadPool pool(1);
  const RewardModel model({golden("llama"), {}, Precision::kF32}, pool);
  EXPECT_THROW(rewards_of(model, {{96}}, {}, pool), InternalError);
  EXPECT_THROW(rewards_of(model, {{-1}}, {}, pool), InternalError);
}

}  // namespace
}  // namespace laurel::model
