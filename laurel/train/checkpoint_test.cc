#include "laurel/train/checkpoint.h"

#include <gtest/gtest.h>

#include "laurel/base/error.h"
#include "laurel/base/test_support.h"
#include "laurel/train/test_support.h"

namespace laurel::train {
namespace {

class CheckpointTest : public testing::Test {
 protected:
  CheckpointTest() {
    write_tiny_checkpoint(folder_ / "base");
    for (Moments& moments : optimizer_.moments()) {
      moments.first.assign(moments.first.size(), 0.5f);
      moments.second.assign(moments.second.size(), 0.25f);
    }
    state_.identity = {{"seed", 1}};
  }
  void write(std::int64_t step) {
    state_.step = step;
    write_checkpoint(place(), state_, model_.parameters(), optimizer_);
  }
  std::filesystem::path place() const { return folder_ / "checkpoints"; }

  TestFolder folder_;
  struct Made {
    explicit Made(const TestFolder& folder) { write_tiny_checkpoint(folder / "base"); }
  } made_{folder_};
  ThreadPool pool_{1};
  model::TrainableModel model_ = open_tiny(folder_ / "base", pool_);
  Optimizer optimizer_{model_.parameters(), {}};
  RunState state_;
};

TEST_F(CheckpointTest, GivesEverythingBack) {
  state_.num_updates = 11;
  state_.num_tokens = 1234;
  state_.best_value = 0.1 + 0.2;
  state_.seconds = 1.0 / 3;
  write(12);
  model::TrainableModel other = open_tiny(folder_ / "base", pool_);
  for (model::Parameter& parameter : other.parameters()) parameter.value[0] = 99;
  Optimizer optimizer(other.parameters(), {});
  const RunState state = read_checkpoint(place(), 12, other.parameters(), optimizer);
  EXPECT_EQ(values_of(other), values_of(model_));
  EXPECT_EQ(optimizer.moments()[0].first, optimizer_.moments()[0].first);
  EXPECT_EQ(optimizer.moments()[1].second, optimizer_.moments()[1].second);
  EXPECT_EQ(optimizer.num_updates(), 11);
  EXPECT_EQ(state.step, 12);
  EXPECT_EQ(state.num_tokens, 1234);
  EXPECT_EQ(*state.best_value, 0.1 + 0.2);
  EXPECT_EQ(state.seconds, 1.0 / 3);
  EXPECT_EQ(state.identity, state_.identity);
}

TEST_F(CheckpointTest, TheLastOnesAndTheBestStay) {
  for (const std::int64_t step : {2, 4, 6, 8}) write(step);
  std::filesystem::create_directories(place() / "step-00000010.77-1.tmp");
  prune_checkpoints(place(), 2, 4);
  EXPECT_EQ(checkpoint_steps(place()), (std::vector<std::int64_t>{4, 6, 8}));
  EXPECT_FALSE(std::filesystem::exists(place() / "step-00000010.77-1.tmp"));
}

TEST_F(CheckpointTest, AFullDiskLeavesTheLastOneWhole) {
  write(1);
  {
    const SmallDisk disk(4096);
    EXPECT_THROW(write(2), IoError);
  }
  EXPECT_EQ(checkpoint_steps(place()), (std::vector<std::int64_t>{1}));
  Optimizer optimizer(model_.parameters(), {});
  EXPECT_EQ(read_checkpoint(place(), 1, model_.parameters(), optimizer).step, 1);
}

TEST_F(CheckpointTest, OtherTensorsAreRefused) {
  write(1);
  model::TrainableOptions options;
  options.lora = model::LoraOptions{};
  model::TrainableModel other = open_tiny(folder_ / "base", pool_, options);
  Optimizer optimizer(other.parameters(), {});
  const std::string text =
      error_text<UserError>([&] { read_checkpoint(place(), 1, other.parameters(), optimizer); });
  EXPECT_NE(text.find("state.safetensors: tensor value/"), std::string::npos) << text;
  EXPECT_TRUE(text.ends_with(": missing")) << text;
}

}  // namespace
}  // namespace laurel::train
