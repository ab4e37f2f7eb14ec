// Weights in GGUF's blocks: the bits of the decoded weights, at the size of the blocks.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/base/half.h"
#include "laurel/base/json.h"
#include "laurel/base/stored_values.h"
#include "laurel/formats/safetensors_writer.h"
#include "laurel/model/adapter.h"
#include "laurel/model/golden_test_support.h"
#include "laurel/model/reward_model.h"
#include "laurel/model/trainable_model.h"

namespace laurel::model {
namespace {

namespace fs = std::filesystem;

// Blocks of Q8_0 near the values.
std::vector<std::byte> as_q8_0(const std::vector<float>& values) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i < values.size(); i += 32) {
    float largest = 1e-6f;
    for (std::size_t k = i; k < i + 32; ++k) largest = std::max(largest, std::abs(values[k]));
    const std::uint16_t scale = float_to_f16(largest / 127);
    std::byte block[34];
    std::memcpy(block, &scale, 2);
    for (std::size_t k = 0; k < 32; ++k) {
      const float q = std::round(values[i + k] / f16_to_float(scale));
      block[2 + k] = static_cast<std::byte>(static_cast<int>(std::clamp(q, -127.0f, 127.0f)));
    }
    bytes.insert(bytes.end(), std::begin(block), std::end(block));
  }
  return bytes;
}

// The golden model "llama" with its matrices in blocks where rows are whole ones, and the same in
// float32.
class Blocks : public testing::Test {
 protected:
  Blocks() {
    fs::remove_all(folder_);
    const formats::TensorStore store = formats::TensorStore::open(golden("llama"));
    std::vector<formats::TensorToWrite> blocks, floats;
    for (const auto& [name, view] : store.tensors()) {
      std::vector<float> values = to_float(view);
      std::vector<std::byte> bytes;
      const bool is_block = view.shape.size() == 2 && view.shape[1] % 32 == 0;
      if (is_block) {
        bytes = as_q8_0(values);
        values_of(DType::kQ8_0, bytes.data(), std::ssize(values), values.data());
      }
      const auto* data = reinterpret_cast<const std::byte*>(values.data());
      const std::vector<std::byte> exact(data, data + values.size() * sizeof(float));
      add(floats, name, DType::kF32, view.shape, exact);
      add(blocks, name, is_block ? DType::kQ8_0 : DType::kF32, view.shape,
          is_block ? bytes : exact);
    }
    write("floats", std::move(floats), nullptr);
    write("blocks", std::move(blocks), {{"quant_method", "laurel-blocks"}, {"version", 1}});
  }
  ~Blocks() override { fs::remove_all(folder_); }

  static void add(std::vector<formats::TensorToWrite>& to, const std::string& name, DType dtype,
                  const std::vector<std::int64_t>& shape, const std::vector<std::byte>& bytes) {
    to.push_back({name, dtype, shape, [bytes](const formats::ByteSink& sink) { sink(bytes); }});
  }

  void write(const std::string& name, std::vector<formats::TensorToWrite> tensors,
             const Json& quantization) {
    fs::create_directories(folder_ / name);
    Json config = read_json_file(golden("llama") / "config.json");
    if (!quantization.is_null()) config["quantization_config"] = quantization;
    write_file(folder_ / name / "config.json", to_text(config));
    formats::write_safetensors(folder_ / name / "model.safetensors", std::move(tensors));
  }

  std::vector<float> rewards(const std::string& name, LoadOptions options = {},
                             bool separate_ends = false) {
    options.directory = folder_ / name;
    RewardModel model(options, pool_);
    if (separate_ends) model.quantize({}, pool_);
    return rewards_of(model, rows_, {.separate_ends = separate_ends}, pool_);
  }

  ThreadPool pool_{2};
  fs::path folder_ = fs::path(testing::TempDir()) / "laurel_blocks_test";
  Rows rows_ = read_json_file(golden("llama") / "expected.json")["input_ids"].get<Rows>();
};

TEST_F(Blocks, GiveTheBitsOfFloats) {
  const std::vector<float> want = rewards("floats");
  EXPECT_EQ(rewards("blocks"), want);
  EXPECT_EQ(rewards("blocks", {.streaming = Streaming::kAlways}), want);
  EXPECT_EQ(rewards("blocks", {.precision = Precision::kBF16}),
            rewards("floats", {.precision = Precision::kBF16}));
  EXPECT_EQ(rewards("blocks", {}, true), rewards("floats", {}, true)) << "int8";
  EXPECT_EQ(RewardModel({.directory = folder_ / "blocks"}, pool_).weights().dtype(), "Q8_0");
}

// Beside the blocks, the adapter's sum is another order of rounding.
TEST_F(Blocks, KeepAnAdapterBesideThem) {
  const fs::path adapter = golden("llama_lora");
  const std::vector<float> want = rewards("floats", {.adapter = adapter});
  const std::vector<float> got = rewards("blocks", {.adapter = adapter});
  const std::vector<float> base = rewards("blocks");
  for (std::size_t i = 0; i < want.size(); ++i) {
    EXPECT_NEAR(got[i], want[i], 1e-5);
    EXPECT_GT(std::abs(got[i] - base[i]), 1e-3);
  }
  EXPECT_EQ(rewards("blocks", {.adapter = adapter, .streaming = Streaming::kAlways}), got);
  EXPECT_EQ(rewards("blocks", {.adapter = adapter, .merge_adapter = true}), want);
  const RewardModel apart({.directory = folder_ / "blocks", .adapter = adapter}, pool_);
  const RewardModel merged(
      {.directory = folder_ / "blocks", .adapter = adapter, .merge_adapter = true}, pool_);
  EXPECT_LT(apart.placement().weight_bytes, merged.placement().weight_bytes);
}

TEST_F(Blocks, CannotBeTrained) {
  try {
    const fs::path directory = folder_ / "blocks";
    const TrainableModel model(read_config(directory), formats::TensorStore::open(directory), {},
                               pool_);
    ADD_FAILURE() << "no error";
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find("weights in blocks of Q8_0 cannot be trained"),
              std::string::npos);
  }
}

TEST_F(Blocks, OfAnotherVersionAreRefused) {
  write("blocks", {}, {{"quant_method", "laurel-blocks"}, {"version", 2}});
  try {
    rewards("blocks");
    ADD_FAILURE() << "no error";
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find("key \"version\": expected 1, got 2"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace laurel::model
