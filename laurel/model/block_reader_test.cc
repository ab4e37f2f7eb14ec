#include "laurel/model/block_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <random>
#include <string>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/base/test_support.h"

namespace laurel::model {
namespace {

namespace fs = std::filesystem;

// Two files of random bytes, the first of several pieces, and blocks of ranges at odd places.
class BlockReaderTest : public testing::Test {
 protected:
  void SetUp() override {
    std::mt19937 generator(5);
    for (const std::size_t size : {std::size_t{20'000'000}, std::size_t{300'001}}) {
      std::string content(size, '\0');
      for (std::size_t i = 0; i + 4 <= size; i += 4) {
        const std::uint32_t value = generator();
        std::memcpy(content.data() + i, &value, 4);
      }
      paths_.push_back(fs::path(testing::TempDir()) /
                       ("laurel_block_reader_" + std::to_string(paths_.size())));
      write_file(paths_.back(), content);
      contents_.push_back(std::move(content));
    }
  }
  void TearDown() override {
    for (const fs::path& path : paths_) fs::remove(path);
  }

  void expect_block(BlockReader& reader, std::size_t index) const {
    const auto places = reader.block(static_cast<std::int64_t>(index));
    ASSERT_EQ(places.size(), blocks_[index].size());
    for (std::size_t i = 0; i < places.size(); ++i) {
      const FileRange& range = blocks_[index][i];
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(places[i]) % kReadAlignment,
                range.offset % kReadAlignment);
      EXPECT_EQ(std::memcmp(places[i], contents_[range.file].data() + range.offset, range.size), 0)
          << "block " << index << ", range " << i;
    }
  }

  std::vector<fs::path> paths_;
  std::vector<std::string> contents_;
  std::vector<std::vector<FileRange>> blocks_ = {
      {{0, 1, 17'000'000}, {1, 299'000, 1001}},  // more than two pieces; to the end of a file
      {{1, 5000, 10}, {0, 8191, 2}, {0, 18'000'000, 2'000'000}, {1, 4100, 100}},  // any order
      {},
      {{0, 4096, 4096}, {0, 4096, 4096}, {0, 4000, 100}},  // overlapping
  };
};

TEST_F(BlockReaderTest, ReadsBlocksRoundAndRound) {
  BlockReader reader(paths_, blocks_);
  reader.prefetch();
  for (int round = 0; round < 3; ++round) {
    for (std::size_t index = 0; index < blocks_.size(); ++index) expect_block(reader, index);
  }
  const ReadStatistics statistics = reader.statistics();
  EXPECT_GE(statistics.bytes, 2 * 19'000'000);
  EXPECT_LE(statistics.cached_bytes, statistics.bytes);
  EXPECT_GT(reader.slowest_block(), 0);
}

TEST_F(BlockReaderTest, AnyOrderWillDo) {
  BlockReader reader(paths_, blocks_);
  for (const std::size_t index : {3, 0, 0, 2, 1, 0, 3, 2, 1, 1, 3}) expect_block(reader, index);
}

TEST_F(BlockReaderTest, OneBlockIsReadAgain) {
  blocks_.resize(1);
  BlockReader reader(paths_, blocks_);
  for (int round = 0; round < 3; ++round) expect_block(reader, 0);
}

TEST_F(BlockReaderTest, EndsWhileItReads) {
  BlockReader unused(paths_, blocks_);
  BlockReader reader(paths_, blocks_);
  reader.prefetch();
}

TEST_F(BlockReaderTest, ReadsSmallRangesDirectly) {
  const BlockReader reader(paths_, blocks_);
  std::string bytes(100, '\0');
  reader.read({1, 777, bytes.size()}, reinterpret_cast<std::byte*>(bytes.data()));
  EXPECT_EQ(bytes, contents_[1].substr(777, 100));
}

TEST_F(BlockReaderTest, AnErrorReachesTheCallerAndStays) {
  BlockReader reader(paths_, blocks_);
  expect_block(reader, 0);
  fs::resize_file(paths_[0], 10'000'000);
  const auto error = [&] {
    return error_text<IoError>([&] {
      for (std::size_t index = 0; index < blocks_.size(); ++index) {
        reader.block(static_cast<std::int64_t>(index));
      }
    });
  };
  const std::string text = error();
  EXPECT_NE(text.find(paths_[0].string() + ": cut off while in use"), std::string::npos) << text;
  EXPECT_EQ(error(), text);
}

}  // namespace
}  // namespace laurel::model
