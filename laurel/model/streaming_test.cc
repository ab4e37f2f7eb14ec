// Streamed weights give the bits that resident ones give, whatever they are stored as.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/base/half.h"
#include "laurel/base/json.h"
#include "laurel/base/test_support.h"
#include "laurel/formats/shard_writer.h"
#include "laurel/model/adapter.h"
#include "laurel/model/golden_test_support.h"
#include "laurel/model/reward_model.h"

namespace laurel::model {
namespace {

namespace fs = std::filesystem;

std::vector<std::byte> bytes_as(const formats::TensorView& tensor, DType dtype) {
  if (dtype == DType::kF32) return {tensor.data.begin(), tensor.data.end()};
  std::vector<std::byte> bytes;
  for (const float value : to_float(tensor)) {
    const std::uint16_t bits = dtype == DType::kBF16 ? float_to_bf16(value) : float_to_f16(value);
    const auto* pair = reinterpret_cast<const std::byte*>(&bits);
    bytes.insert(bytes.end(), pair, pair + 2);
  }
  return bytes;
}

class StreamingTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = fs::path(testing::TempDir()) / "laurel_streaming_test";
    fs::remove_all(directory_);
    fs::create_directories(directory_);
    const Json json = read_json_file(golden("llama") / "expected.json");
    rows_ = json["input_ids"].get<decltype(rows_)>();
  }
  void TearDown() override { fs::remove_all(directory_); }

  // The golden model `name`, its weights as `dtype` in files of at most max_bytes.
  void write_model(const std::string& name, DType dtype, std::uint64_t max_bytes) {
    fs::remove_all(directory_);
    fs::create_directories(directory_);
    fs::copy(golden(name) / "config.json", directory_);
    const formats::TensorStore store = formats::TensorStore::open(golden(name));
    std::vector<formats::TensorToWrite> tensors;
    for (const auto& [tensor, view] : store.tensors()) {
      tensors.push_back(
          {tensor, dtype, view.shape,
           [&view = view, dtype](const formats::ByteSink& sink) { sink(bytes_as(view, dtype)); }});
    }
    formats::ShardOptions options;
    options.max_bytes = max_bytes;
    formats::write_sharded(directory_, std::move(tensors), options);
  }

  // Moves the data of model.safetensors to an odd offset: the header gets a space more.
  void shift_data() const {
    const fs::path path = directory_ / "model.safetensors";
    std::string bytes = read_file(path);
    ++bytes[0];
    ASSERT_NE(bytes[0], 0);
    std::size_t end = 8;  // of the header, which is padded with spaces if at all
    while (bytes[end] != ' ' && bytes.compare(end, 2, "}}") != 0) ++end;
    end += bytes[end] == ' ' ? 0 : 2;
    write_file(path, bytes.insert(end, " "));
  }

  std::vector<packing::Pack> packs(std::int64_t max_tokens) const {
    std::vector<packing::Sequence> sequences;
    for (const auto& row : rows_) sequences.push_back({row, 0});
    return packing::plan_packs(sequences, {max_tokens, true});
  }

  std::vector<std::vector<float>> rewards(LoadOptions options, std::int64_t max_tokens,
                                          int num_threads) const {
    ThreadPool pool(num_threads);
    if (options.directory.empty()) options.directory = directory_;
    const RewardModel model(options, pool);
    EXPECT_EQ(model.placement().streamed, options.streaming == Streaming::kAlways);
    return model.forward(packs(max_tokens), pool);
  }

  void expect_same_bits(LoadOptions options) const {
    for (const std::int64_t max_tokens : {1, 100, 4096}) {
      options.streaming = Streaming::kNever;
      const auto expected = rewards(options, max_tokens, 1);
      options.streaming = Streaming::kAlways;
      for (const int threads : {1, 3}) {
        for (const std::int64_t available : {std::int64_t{0}, std::int64_t{1} << 40}) {
          options.available_bytes = available;  // a pack a group, or as many as it takes
          EXPECT_EQ(rewards(options, max_tokens, threads), expected)
              << max_tokens << " tokens, " << threads << " threads, " << available;
        }
      }
    }
  }

  fs::path directory_;
  std::vector<std::vector<std::int32_t>> rows_;
};

TEST_F(StreamingTest, SameBitsForEveryElementTypeAndShard) {
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
    for (const std::uint64_t max_bytes : {std::uint64_t{1} << 30, std::uint64_t{9'000}}) {
      SCOPED_TRACE(fmt::format("{} in files of {}", dtype_name(dtype), max_bytes));
      write_model("llama", dtype, max_bytes);
      expect_same_bits({});
    }
  }
}

// Tensors of these files lie at any offset.
TEST_F(StreamingTest, SameBitsFromPytorchFiles) {
  expect_same_bits({.directory = golden("llama_bin")});
  const LoadOptions safetensors{.directory = golden("llama")};
  EXPECT_EQ(rewards({.directory = golden("llama_bin"), .streaming = Streaming::kAlways}, 100, 1),
            rewards(safetensors, 100, 1));
}

TEST_F(StreamingTest, SameBitsWithBiasesWindowsAndRounding) {
  for (const char* name : {"llama_bias_head_dim", "qwen2_window"}) {
    SCOPED_TRACE(name);
    expect_same_bits({.directory = golden(name)});
    expect_same_bits({.directory = golden(name), .precision = Precision::kBF16});
  }
}

TEST_F(StreamingTest, SameBitsWithAdapters) {
  for (const char* name : {"llama_lora", "llama_dora"}) {
    SCOPED_TRACE(name);
    expect_same_bits({.directory = golden("llama"), .adapter = golden(name)});
    expect_same_bits(
        {.directory = golden("llama"), .adapter = golden(name), .precision = Precision::kBF16});
  }
}

TEST_F(StreamingTest, SameBitsAtOddOffsets) {
  write_model("llama", DType::kBF16, 1 << 30);
  const auto expected = rewards({}, 4096, 1);
  shift_data();
  EXPECT_EQ(formats::TensorStore::open(directory_).find("score.weight")->file_offset.value() % 2,
            1u);
  EXPECT_EQ(rewards({.streaming = Streaming::kAlways}, 4096, 2), expected);
}

TEST_F(StreamingTest, ManyCallsGiveTheSame) {
  ThreadPool pool(2);
  const RewardModel model({.directory = golden("llama"), .streaming = Streaming::kAlways}, pool);
  const std::vector<packing::Pack> list = packs(200);
  const auto expected = model.forward(list, pool);
  for (std::size_t i = 0; i < list.size(); ++i) {
    EXPECT_EQ(model.forward(list[i], pool), expected[i]);
  }
  EXPECT_GT(model.read_statistics().bytes, 0);
}

TEST_F(StreamingTest, StreamsIfTheWeightsDoNotFit) {
  ThreadPool pool(1);
  LoadOptions options{.directory = golden("llama"), .streaming = Streaming::kIfNeeded};
  options.pack_rows = 100;
  const RewardModel resident(options, pool);
  EXPECT_FALSE(resident.placement().streamed);
  const std::int64_t needed =
      resident.placement().weight_bytes + resident.activation_bytes(options.pack_rows);
  options.available_bytes = needed;
  EXPECT_FALSE(RewardModel(options, pool).placement().streamed);
  options.available_bytes = needed - 1;
  EXPECT_TRUE(RewardModel(options, pool).placement().streamed);
  options.streaming = Streaming::kNever;
  EXPECT_FALSE(RewardModel(options, pool).placement().streamed);
}

TEST_F(StreamingTest, TwoLayersMustFit) {
  ThreadPool pool(1);
  LoadOptions options{.directory = golden("llama"), .streaming = Streaming::kIfNeeded};
  const std::int64_t largest = RewardModel(options, pool).weights().largest_layer_bytes();
  options.available_bytes = 2 * largest;
  EXPECT_TRUE(RewardModel(options, pool).placement().streamed);
  options.available_bytes = 2 * largest - 1;
  options.streaming = Streaming::kAlways;
  EXPECT_TRUE(RewardModel(options, pool).placement().streamed);
  options.streaming = Streaming::kIfNeeded;
  try {
    const RewardModel model(options, pool);
    ADD_FAILURE() << "no error";
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find("does not fit into memory even layer by layer"),
              std::string::npos);
  }
}

TEST_F(StreamingTest, CopiesCountForFitting) {
  ThreadPool pool(1);
  const RewardModel plain({.directory = golden("llama")}, pool);
  const RewardModel rounded({.directory = golden("llama"), .precision = Precision::kBF16}, pool);
  const std::int64_t stored = plain.placement().weight_bytes;
  EXPECT_EQ(stored, plain.weights().stored_bytes());
  EXPECT_EQ(rounded.placement().weight_bytes, stored + stored / 2);
  const RewardModel merged({.directory = golden("llama"), .adapter = golden("llama_lora")}, pool);
  EXPECT_GT(merged.placement().weight_bytes, stored);
}

TEST_F(StreamingTest, AFileThatIsCutOffWhileInUseIsAnIoError) {
  write_model("llama", DType::kF32, 1 << 30);
  ThreadPool pool(2);
  const RewardModel model({.directory = directory_, .streaming = Streaming::kAlways}, pool);
  const std::vector<packing::Pack> list = packs(200);
  model.forward(list[0], pool);
  fs::resize_file(directory_ / "model.safetensors", 20'000);
  for (int call = 0; call < 2; ++call) {
    const std::string text = error_text<IoError>([&] { model.forward(list, pool); });
    EXPECT_NE(text.find("model.safetensors: cut off while in use"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace laurel::model
