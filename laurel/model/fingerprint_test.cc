#include "laurel/model/fingerprint.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "laurel/base/file.h"
#include "laurel/formats/safetensors_writer.h"

namespace laurel::model {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kLargeBytes = 20 * kMiB + 3;

class FingerprintTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = fs::path(testing::TempDir()) / "laurel_fingerprint_test";
    fs::create_directories(directory_);
    write_file(directory_ / "config.json", "{}");
  }
  void TearDown() override { fs::remove_all(directory_); }

  // Of a file with a large tensor and a small one, each of zeros but for a one.
  std::string fingerprint(std::size_t large_place, std::size_t small_place, int num_threads = 1) {
    const auto tensor = [](const std::string& name, std::size_t size, std::size_t place) {
      std::string bytes(size, '\0');
      bytes.at(place) = 1;
      return formats::TensorToWrite{
          name,
          DType::kU8,
          {static_cast<std::int64_t>(size)},
          [bytes](const formats::ByteSink& sink) { sink(std::as_bytes(std::span(bytes))); }};
    };
    const fs::path path = directory_ / "model.safetensors";
    formats::write_safetensors(
        path, {tensor("large", kLargeBytes, large_place), tensor("small", kMiB, small_place)});
    const auto store = formats::TensorStore::open_file(path);
    const std::vector<PlannedTensor> tensors = {{{}, store.find("large"), nullptr},
                                                {{}, store.find("small"), nullptr}};
    ThreadPool pool(num_threads);
    return sampled_fingerprint({directory_ / "config.json"}, tensors, pool);
  }

  fs::path directory_;
};

TEST_F(FingerprintTest, TakesSmallTensorsWholeAndSamplesOfLargeOnes) {
  const std::string hash = fingerprint(8 * kMiB, 0);
  EXPECT_EQ(hash.size(), 40u) << hash;
  EXPECT_TRUE(hash.starts_with("sampled-"));
  EXPECT_EQ(fingerprint(8 * kMiB, 0, 3), hash);
  EXPECT_EQ(fingerprint(9 * kMiB, 0), hash) << "both lie between samples";
  for (const std::size_t place : {std::size_t{0}, 16 * kMiB + 65'535, kLargeBytes - 1}) {
    EXPECT_NE(fingerprint(place, 0), hash) << place;
  }
  EXPECT_NE(fingerprint(8 * kMiB, kMiB / 2), hash);
  write_file(directory_ / "config.json", "{ }");
  EXPECT_NE(fingerprint(8 * kMiB, 0), hash);
}

}  // namespace
}  // namespace laurel::model
