// What is written loads again as what was trained.
#include "laurel/train/export.h"

#include <gtest/gtest.h>

#include "laurel/base/error.h"
#include "laurel/base/half.h"
#include "laurel/model/adapter.h"
#include "laurel/train/lora_export.h"
#include "laurel/train/micro_batch.h"
#include "laurel/train/test_support.h"

namespace laurel::train {
namespace {

class ExportTest : public testing::Test {
 protected:
  ExportTest() {
    write_tiny_checkpoint(base());
    write_file(base() / "tokenizer.json", "{}");
    write_file(base() / "LICENSE", "free");
    write_file(base() / "README.md", "the base's card is not the model's");
    options_.base = base();
    options_.base_name = "org/base";
    options_.pad = {"<pad>", 20, 24, {{"tokenizer.json", "{\"pad\": 1}"}}};
  }

  std::filesystem::path base() const { return folder_ / "base"; }
  std::filesystem::path out() const { return folder_ / "out"; }

  model::TrainableModel open(const model::TrainableOptions& options = {}) {
    model::TrainableModel model = open_tiny(base(), pool_, options);
    Random random(4);
    for (model::Parameter& parameter : model.parameters()) {
      for (float& value : parameter.value) {
        value += static_cast<float>(random.between(-1000, 1000)) / 3000.0f;
      }
    }
    return model;
  }

  void write(const model::TrainableModel& model) {
    std::filesystem::create_directories(out());
    export_model(model, options_, out());
  }

  Json json(const std::string& name) const { return parse_json(read_file(out() / name), name); }

  TestFolder folder_;
  ThreadPool pool_{1};
  ExportOptions options_;
};

model::TrainableOptions with_lora() {
  model::TrainableOptions options;
  options.freeze_layers = 1;
  options.lora = model::LoraOptions{.rank = 2, .alpha = 3, .targets = {"q_proj", "down_proj"}};
  return options;
}

TEST_F(ExportTest, AWholeModelLoadsAgainBitForBit) {
  const model::TrainableModel model = open();
  write(model);
  EXPECT_EQ(values_of(open_tiny(out(), pool_)), values_of(model));
  const Json config = json("config.json");
  EXPECT_EQ(config["architectures"], Json({"LlamaForSequenceClassification"}));
  EXPECT_EQ(config["num_labels"], 1);
  EXPECT_EQ(config["pad_token_id"], 20);
  EXPECT_EQ(config["torch_dtype"], "float32");
  EXPECT_EQ(read_file(out() / "tokenizer.json"), "{\"pad\": 1}");
  EXPECT_EQ(read_file(out() / "LICENSE"), "free");
  EXPECT_FALSE(std::filesystem::exists(out() / "README.md"));
}

TEST_F(ExportTest, ShardsHoldTheSameTensors) {
  const model::TrainableModel model = open();
  options_.max_shard_bytes = 4000;
  write(model);
  EXPECT_FALSE(std::filesystem::exists(out() / "model.safetensors"));
  EXPECT_TRUE(std::filesystem::exists(out() / "model.safetensors.index.json"));
  EXPECT_EQ(values_of(open_tiny(out(), pool_)), values_of(model));
}

TEST_F(ExportTest, Bfloat16IsTheRoundedValue) {
  const model::TrainableModel model = open();
  options_.dtype = DType::kBF16;
  write(model);
  auto expected = values_of(model);
  for (auto& tensor : expected) {
    for (float& value : tensor) value = bf16_to_float(float_to_bf16(value));
  }
  EXPECT_EQ(values_of(open_tiny(out(), pool_)), expected);
  EXPECT_EQ(json("config.json")["torch_dtype"], "bfloat16");
}

TEST_F(ExportTest, AnAdapterIsWhatPeftReads) {
  const model::TrainableModel model = open(with_lora());
  write(model);
  EXPECT_FALSE(std::filesystem::exists(out() / "config.json"));
  EXPECT_EQ(read_file(out() / "tokenizer.json"), "{}");  // it cannot add a row for the pad token
  const Json config = json("adapter_config.json");
  EXPECT_EQ(config["base_model_name_or_path"], "org/base");
  EXPECT_EQ(config["layers_to_transform"], Json({1}));
  const model::Adapter adapter = model::read_adapter(out());
  EXPECT_EQ(adapter.modules.size(), 2u);
  EXPECT_TRUE(adapter.replaced.contains("score.weight"));
  const formats::TensorStore tensors = formats::TensorStore::open(base());
  for (const auto& [name, module] : adapter.modules) {
    EXPECT_DOUBLE_EQ(module.scaling, 1.5);
    const auto merged = model::merge(module, *tensors.find(name), pool_);
    const auto ours = merged_tensor(model, name);
    ASSERT_EQ(merged.size(), ours.size());
    EXPECT_NE(ours, model.tensor(name));
    for (std::size_t i = 0; i < ours.size(); ++i) EXPECT_NEAR(ours[i], merged[i], 1e-6) << name;
  }
}

TEST_F(ExportTest, AMergedAdapterGivesTheSameRewards) {
  model::TrainableModel model = open(with_lora());
  options_.merge_lora = true;
  options_.pad = {"<pad>", 19, 20, {}};
  write(model);
  const model::TrainableModel merged = open_tiny(out(), pool_);
  const packing::Pack pack =
      make_micro_batch(tiny_set(3), std::vector<std::int64_t>{0, 1, 2}, false).pack;
  const auto expected = model.evaluate(pack, pool_), got = merged.evaluate(pack, pool_);
  ASSERT_EQ(got.size(), 6u);
  for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(got[i], expected[i], 1e-5);
}

TEST_F(ExportTest, ADirectoryOfItsOwnAppearsWhole) {
  const model::TrainableModel model = open();
  {
    const SmallDisk disk(4000);
    EXPECT_THROW(export_directory(model, options_, out()), IoError);
  }
  EXPECT_FALSE(std::filesystem::exists(out()));
  export_directory(model, options_, out());
  EXPECT_EQ(values_of(open_tiny(out(), pool_)), values_of(model));
}

}  // namespace
}  // namespace laurel::train
