// Mixes: the entry's grammar, amounts, samples as numpy draws them, where files are looked for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "laurel/data/mix.h"
#include "laurel/data/source_files.h"
#include "laurel/data/test_support.h"

namespace laurel::data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Mix, AnEntryIsSourceAmountSplit) {
  const MixEntry plain = parse_mix_entry("org/name");
  EXPECT_EQ(plain.source, "org/name");
  EXPECT_TRUE(plain.amount.is_share);
  EXPECT_EQ(plain.amount.share, 1);
  EXPECT_EQ(plain.split, "train");

  const MixEntry rows = parse_mix_entry("  a.jsonl   20 ");
  EXPECT_EQ(rows.source, "a.jsonl");
  EXPECT_FALSE(rows.amount.is_share);
  EXPECT_EQ(rows.amount.num_rows, 20);

  const MixEntry share = parse_mix_entry("my data/set 0.25 test");
  EXPECT_EQ(share.source, "my data/set");
  EXPECT_EQ(share.amount.share, 0.25);
  EXPECT_EQ(share.split, "test");

  EXPECT_EQ(parse_mix_entry("my data/set").source, "my data/set");
  EXPECT_EQ(parse_mix_entry("12").source, "12");
}

TEST(Mix, WrongEntriesAreRefused) {
  for (const char* text : {"a.jsonl 0", "a.jsonl -3", "a.jsonl 0.0", "a.jsonl -1.5 train"}) {
    EXPECT_EQ(error_text<UserError>([&] { parse_mix_entry(text); }),
              fmt::format("mix \"{}\": expected an amount above 0", text));
  }
  EXPECT_EQ(error_text<UserError>([] { parse_mix_entry("  "); }),
            "mix: expected \"SOURCE [AMOUNT [SPLIT]]\", got \"\"");
}

TEST(Mix, AmountsMeanRows) {
  const auto rows = [](const char* amount, std::int64_t num_rows) {
    return rows_of(parse_mix_entry(std::string("s ") + amount).amount, num_rows, "s");
  };
  EXPECT_EQ(rows("1", 50), 1);
  EXPECT_EQ(rows("1.0", 50), 50);
  EXPECT_EQ(rows("3.0", 50), 150);
  EXPECT_EQ(rows("0.29", 100), 28);  // as int(0.29 * 100) in Python
  EXPECT_EQ(rows("70", 50), 70);
  EXPECT_EQ(error_text<UserError>([&] { rows("0.01", 50); }),
            "s: expected an amount that gives at least one row, got 0.01 of 50 rows");
}

TEST(Mix, SamplesAreNumpys) {
  const Json golden =
      read_json_file(fs::path(LAUREL_SOURCE_DIR) / "tests/goldens/data/samples.json");
  for (const Json& one : golden["cases"]) {
    const auto rows = one["rows"].get<std::int64_t>(), size = one["size"].get<std::int64_t>();
    const std::vector<std::int64_t> picks = pick_rows(rows, size, one["seed"]);
    ASSERT_EQ(std::ssize(picks), size);
    const auto first = one["first"].get<std::vector<std::int64_t>>();
    EXPECT_TRUE(std::equal(first.begin(), first.end(), picks.begin())) << one;
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < picks.size(); ++i)
      sum += static_cast<std::int64_t>(i + 1) * picks[i];
    EXPECT_EQ(sum, one["sum"]) << one;
  }
}

TEST(Mix, WholeCopiesComeFirstAndInOrder) {
  EXPECT_THAT(pick_rows(3, 3, 42), ElementsAre(0, 1, 2));
  const std::vector<std::int64_t> picks = pick_rows(3, 8, 42);
  ASSERT_EQ(picks.size(), 8u);
  EXPECT_THAT(std::vector(picks.begin(), picks.begin() + 6), ElementsAre(0, 1, 2, 0, 1, 2));
  EXPECT_NE(picks[6], picks[7]);
  EXPECT_THAT(pick_rows(5, 0, 42), ElementsAre());
}

TEST(SourceFiles, FilesOfASplit) {
  const Folder folder;
  const std::string file = folder.add("a.jsonl", "{}\n");
  EXPECT_THAT(find_source_files(parse_mix_entry(file)), ElementsAre(fs::path(file)));
  EXPECT_EQ(error_text<UserError>([&] { find_source_files(parse_mix_entry(file + " 1.0 test")); }),
            file + ": a file has the one split \"train\", got \"test\"");
  folder.add("set/data/train-00001-of-00002.parquet", "");
  folder.add("set/data/train-00000-of-00002.parquet", "");
  folder.add("set/data/test-00000-of-00001.parquet", "");
  folder.add("set/training.jsonl", "");
  folder.add("set/valid.jsonl.zst", "");
  const std::string set = (folder.path() / "set").string();
  const auto names = [&](const std::string& entry) {
    std::vector<std::string> result;
    for (const fs::path& path : find_source_files(parse_mix_entry(entry)))
      result.push_back(path.filename().string());
    return result;
  };
  EXPECT_THAT(names(set),
              ElementsAre("train-00000-of-00002.parquet", "train-00001-of-00002.parquet"));
  EXPECT_THAT(names(set + " 5 test"), ElementsAre("test-00000-of-00001.parquet"));
  EXPECT_THAT(names(set + " 1.0 valid"), ElementsAre("valid.jsonl.zst"));
  EXPECT_THAT(error_text<UserError>([&] { names(set + " 1.0 validation"); }),
              HasSubstr("set: no files of split \"validation\", expected validation.jsonl, .json"));
  EXPECT_EQ(error_text<UserError>([&] { names("./no/such.jsonl"); }),
            "./no/such.jsonl: no such file or directory");
}

TEST(SourceFiles, DataSetsOfTheHubsCache) {
  const Folder cache;
  const std::string commit(40, 'a');
  cache.add("datasets--org--set/refs/main", commit);
  cache.add("datasets--org--set/snapshots/" + commit + "/data/train-0.jsonl", "{}\n");
  ::setenv("HF_HUB_CACHE", cache.path().c_str(), 1);
  const auto files = find_source_files(parse_mix_entry("org/set 1.0"));
  const std::string missing =
      error_text<UserError>([] { find_source_files(parse_mix_entry("org/other 1.0")); });
  ::unsetenv("HF_HUB_CACHE");
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(files[0].filename(), "train-0.jsonl");
  EXPECT_THAT(missing, HasSubstr("org/other@main: data set not found"));
}

}  // namespace
}  // namespace laurel::data
