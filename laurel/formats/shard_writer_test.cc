#include "laurel/formats/shard_writer.h"

#include <gtest/gtest.h>

#include "laurel/base/json.h"
#include "laurel/formats/tensor_store.h"
#include "laurel/formats/test_support.h"

namespace laurel::formats {
namespace {

// [count] floats, all equal to `value`.
TensorToWrite tensor(const std::string& name, std::int64_t count, float value) {
  return {name, DType::kF32, {count}, [=](const ByteSink& sink) {
            for (std::int64_t i = 0; i < count; ++i) sink(std::as_bytes(std::span(&value, 1)));
          }};
}

class ShardWriter : public testing::Test {
 protected:
  ShardWriter() {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directory(folder_);
  }
  ~ShardWriter() override { std::filesystem::remove_all(folder_); }

  std::int64_t write(std::uint64_t max_bytes) {
    ShardOptions options;
    options.max_bytes = max_bytes;
    options.on_written = [this](std::uint64_t bytes) {
      EXPECT_GE(bytes, written_);
      written_ = bytes;
    };
    return write_sharded(
        folder_, {tensor("a", 10, 1), tensor("b", 30, 2), tensor("c", 10, 3), tensor("d", 10, 4)},
        options);
  }

  std::filesystem::path folder_ = std::filesystem::path(testing::TempDir()) / "laurel_shard_writer";
  std::uint64_t written_ = 0;
};

TEST_F(ShardWriter, WhatFitsIsOneFileWithoutIndex) {
  EXPECT_EQ(write(240), 1);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "model.safetensors"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "model.safetensors.index.json"));
  EXPECT_EQ(written_, 240u);
}

TEST_F(ShardWriter, ShardsAreFilledInOrderAndIndexed) {
  EXPECT_EQ(write(80), 3);  // b alone is larger than a shard
  const Json index = read_json_file(folder_ / "model.safetensors.index.json");
  EXPECT_EQ(index["metadata"]["total_size"], 240);
  EXPECT_EQ(index["weight_map"], Json({{"a", "model-00001-of-00003.safetensors"},
                                       {"b", "model-00002-of-00003.safetensors"},
                                       {"c", "model-00003-of-00003.safetensors"},
                                       {"d", "model-00003-of-00003.safetensors"}}));
  EXPECT_EQ(written_, 240u);
  const TensorStore store = TensorStore::open(folder_);
  EXPECT_EQ(store.files().size(), 3u);
  EXPECT_EQ(values_of<float>(store.find("b")->data), std::vector<float>(30, 2));
  EXPECT_EQ(values_of<float>(store.find("d")->data), std::vector<float>(10, 4));
}

}  // namespace
}  // namespace laurel::formats
