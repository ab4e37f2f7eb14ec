#include "laurel/train/frozen_cache.h"

#include <gtest/gtest.h>

#include <cstring>

#include "laurel/base/error.h"
#include "laurel/base/test_support.h"
#include "laurel/train/test_support.h"

namespace laurel::train {
namespace {

model::TrainableOptions frozen_layer() {
  model::TrainableOptions options;
  options.freeze_layers = 1;
  return options;
}

class FrozenCacheTest : public testing::Test {
 protected:
  FrozenCache open(const std::string& key) { return {set_, 16, {folder_ / "cache", key}}; }

  MicroBatch batch(std::vector<std::int64_t> examples) const {
    return make_micro_batch(set_, examples, true);
  }

  std::vector<float> states(FrozenCache& cache, const MicroBatch& batch) {
    const kernels::ConstMatrix rows = cache.states(batch, model_, pool_);
    return {rows.data, rows.data + batch.pack.tokens.size() * 16};
  }

  // All examples, in other batches than the tests read.
  void fill(FrozenCache& cache) {
    for (std::int64_t i = 0; i < 6; i += 2) states(cache, batch({i + 1, i}));
  }

  // Names in the cache's directory.
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "cache")) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  std::filesystem::path file() const { return folder_ / "cache/frozen-k.f32"; }

  TestFolder folder_;
  ThreadPool pool_{1};
  struct Made {
    explicit Made(const TestFolder& folder) { write_tiny_checkpoint(folder / "base"); }
  } made_{folder_};
  model::TrainableModel model_ = open_tiny(folder_ / "base", pool_, frozen_layer());
  data::TrainingSet set_ = tiny_set(6);
};

TEST_F(FrozenCacheTest, GivesTheBitsOfTheModelInAnyBatch) {
  FrozenCache cache = open("");
  fill(cache);
  const MicroBatch mixed = batch({5, 0, 3});
  EXPECT_EQ(states(cache, mixed), model_.frozen_states(mixed.pack, pool_));
  EXPECT_TRUE(files().empty());  // nameless
}

TEST_F(FrozenCacheTest, ACompleteFileIsReadByTheNextRunAndDamageIsTold) {
  const MicroBatch some = batch({4, 1});
  {
    FrozenCache cache = open("k");
    states(cache, some);
    EXPECT_FALSE(std::filesystem::exists(file()));
  }
  EXPECT_TRUE(files().empty());  // half a file is no use to others
  {
    FrozenCache cache = open("k");
    fill(cache);
  }
  EXPECT_EQ(files(), (std::vector<std::string>{"frozen-k.f32"}));
  {
    FrozenCache cache = open("k");
    EXPECT_EQ(states(cache, some), model_.frozen_states(some.pack, pool_));
  }
  std::string bytes = read_file(file());
  const float marked = 42;
  std::memcpy(bytes.data(), &marked, sizeof(marked));
  write_file(file(), bytes);
  FrozenCache cache = open("k");
  EXPECT_EQ(error_text<UserError>([&] { states(cache, batch({0})); }),
            file().string() + ": states of example 1 are damaged; remove the file");
  EXPECT_EQ(states(cache, some), model_.frozen_states(some.pack, pool_));
}

TEST_F(FrozenCacheTest, AFileOfAnotherSizeIsMadeAnew) {
  std::filesystem::create_directories(folder_ / "cache");
  write_file(file(), "damaged");
  FrozenCache cache = open("k");
  fill(cache);
  EXPECT_EQ(std::filesystem::file_size(file()), static_cast<std::uintmax_t>(cache.num_bytes()));
  const MicroBatch all = batch({0, 1, 2, 3, 4, 5});
  EXPECT_EQ(states(cache, all), model_.frozen_states(all.pack, pool_));
}

TEST_F(FrozenCacheTest, AFileThatIsCutWhileItIsReadIsTold) {
  FrozenCache cache = open("k");
  fill(cache);
  std::filesystem::resize_file(file(), 100);
  EXPECT_TRUE(error_text<IoError>([&] {
                states(cache, batch({5}));
              }).ends_with("the file has become shorter"));
}

TEST_F(FrozenCacheTest, OnlyAbandonedFilesAreRemoved) {
  FrozenCache other = open("other");
  states(other, batch({0}));
  write_file(folder_ / "cache/.frozen-1-0.tmp", "of a killed process");
  write_file(folder_ / "cache/.frozen-notes", "mine");
  FrozenCache cache = open("k");
  EXPECT_EQ(files().size(), 3u);  // two that grow, and the notes
  fill(cache);
  fill(other);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "cache/frozen-other.f32"));
}

}  // namespace
}  // namespace laurel::train
