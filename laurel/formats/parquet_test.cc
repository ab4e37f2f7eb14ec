// Parquet against what pyarrow reads (tests/goldens/parquet), and files that are none.
#include <zlib.h>

#include <cstdlib>
#include <fstream>
#include <random>

#include "laurel/base/json.h"
#include "laurel/formats/line_reader.h"
#include "laurel/formats/parquet_plugin.h"
#include "laurel/formats/row_source.h"
#include "laurel/formats/test_support.h"

namespace laurel::formats {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::vector<Json> rows_of(const std::string& path, const std::vector<std::string>& columns = {}) {
  const auto source = open_rows(path, columns);
  std::vector<Json> rows;
  Row row;
  while (source->next(row)) {
    rows.push_back(row.object);
    EXPECT_EQ(row.where, fmt::format("{}: row {}", path, rows.size()));
  }
  return rows;
}

std::vector<Json> json_lines(const std::string& path) {
  std::vector<Json> rows;
  LineReader reader(path);
  std::string line;
  while (reader.next(line)) rows.push_back(parse_json(line, path));
  return rows;
}

std::string parquet_golden(const std::string& name) { return golden("parquet/" + name).string(); }

std::string read_error(const std::string& path, const std::vector<std::string>& columns = {}) {
  return error_of([&] { rows_of(path, columns); });
}

void expect_same_rows(const std::vector<Json>& rows, const std::vector<Json>& expected) {
  ASSERT_EQ(rows.size(), expected.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    // As text: the order of keys, 1 beside 1.0 and -0.0 count.
    ASSERT_EQ(to_line(rows[i]), to_line(expected[i])) << "row " << i + 1;
  }
}

// Those tests that open a file with the plug-in.
class Parquet : public FolderTest {
 protected:
  void SetUp() override {
#ifdef LAUREL_TEST_PARQUET_PLUGIN
    ::setenv("LAUREL_PARQUET_PLUGIN", LAUREL_TEST_PARQUET_PLUGIN, 1);
#else
    GTEST_SKIP() << "the Parquet plug-in was not built (tools/setup parquet)";
#endif
    FolderTest::SetUp();
  }

  std::string write(const std::string& name, const std::string& bytes) {
    const auto path = folder_ / name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path.string();
  }
};

TEST_F(Parquet, NestedRowsInEveryEncoding) {
  const std::vector<Json> expected = json_lines(parquet_golden("nested.jsonl"));
  for (const char* name : {"nested", "nested_snappy_v1", "nested_gzip_v2", "nested_plain",
                           "nested_small_pages", "nested_delta"}) {
    SCOPED_TRACE(name);
    expect_same_rows(rows_of(parquet_golden(fmt::format("{}.parquet", name))), expected);
  }
}

TEST_F(Parquet, EveryType) {
  expect_same_rows(rows_of(parquet_golden("types.parquet")),
                   json_lines(parquet_golden("types.jsonl")));
}

TEST_F(Parquet, OnlyTheColumnsNamed) {
  const std::string path = parquet_golden("nested.parquet");
  std::vector<Json> expected = json_lines(parquet_golden("nested.jsonl"));
  for (Json& row : expected) {
    row.erase("deep");
    row.erase("id");
  }
  expect_same_rows(rows_of(path, {"subset", "absent", "chosen"}), expected);
  expect_same_rows(rows_of(path, {"absent"}), std::vector<Json>(expected.size(), Json::object()));
}

TEST_F(Parquet, ColumnsNotNamedMayHoldWhatJsonLacks) {
  EXPECT_EQ(rows_of(parquet_golden("binary.parquet"), {"id"}).front().dump(), R"({"id":1})");
  EXPECT_THAT(
      read_error(parquet_golden("binary.parquet")),
      HasSubstr("binary.parquet: column image.bytes: JSON has no counterpart of type binary"));
  EXPECT_THAT(read_error(parquet_golden("not_finite.parquet"), {"margin"}),
              HasSubstr("not_finite.parquet: row 2: column margin: JSON has no such number, "
                        "expected a finite one, got nan"));
  EXPECT_THAT(read_error(parquet_golden("not_finite.parquet"), {"other"}),
              HasSubstr("row 1: column other: JSON has no such number, expected a finite one, got "
                        "an infinity"));
}

TEST_F(Parquet, GoesOnAfterARowThatCannotBeGiven) {
  const auto source = open_rows(parquet_golden("not_finite.parquet"), {"other"});
  Row row;
  EXPECT_THROW(source->next(row), UserError);
  EXPECT_THAT(row.where, HasSubstr("not_finite.parquet: row 1"));
  EXPECT_TRUE(source->next(row));
  EXPECT_EQ(row.object.dump(), R"({"other":1.0})");
  EXPECT_FALSE(source->next(row));
}

TEST_F(Parquet, ValuesThatPythonRefuses) {
  EXPECT_THAT(read_error(parquet_golden("invalid_utf8.parquet")),
              AllOf(HasSubstr("rows 1 to 2: "), HasSubstr("Invalid UTF8")));
  EXPECT_THAT(read_error(parquet_golden("duplicate.parquet")), HasSubstr("two columns named a"));
  EXPECT_THAT(read_error(parquet_golden("out_of_range.parquet")),
              HasSubstr("row 1: column when: date outside the years 1 to 9999"));
}

TEST_F(Parquet, NanosecondsAreKept) {
  const std::vector<Json> rows = rows_of(parquet_golden("nanoseconds.parquet"));
  EXPECT_EQ(rows.at(0)["when"], "1970-01-01T00:00:01.000000001");
  EXPECT_EQ(rows.at(1)["when"], "1970-01-01T00:00:01.000001");
}

TEST_F(Parquet, NoRowsIsAnError) {
  EXPECT_THAT(read_error(parquet_golden("empty.parquet")),
              HasSubstr("empty.parquet: no rows, expected at least one"));
}

TEST_F(Parquet, IsRecognizedByContent) {
  const std::string bytes = read_file(parquet_golden("nested.parquet"));
  EXPECT_EQ(rows_of(write("rows.jsonl", bytes)).size(), 400u);
  EXPECT_EQ(open_rows(write("rows.parquet", "{}\n")) != nullptr, true);
}

TEST_F(Parquet, WithinGzipIsRefused) {
  const std::string path = (folder_ / "rows.parquet.gz").string();
  const std::string bytes = read_file(parquet_golden("nested.parquet"));
  gzFile file = gzopen(path.c_str(), "wb");
  ASSERT_EQ(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())),
            static_cast<int>(bytes.size()));
  gzclose(file);
  EXPECT_EQ(read_error(path), path + ": Parquet in a stream, expected the Parquet file itself");
}

TEST_F(Parquet, CutOffAnywhere) {
  const std::string bytes = read_file(parquet_golden("types.parquet"));
  for (std::size_t size = 4; size < bytes.size(); size += 97) {
    EXPECT_THAT(read_error(write("cut.parquet", bytes.substr(0, size))),
                HasSubstr("cut.parquet: damaged Parquet file: "));
  }
}

TEST_F(Parquet, EncryptedIsRefused) {
  std::string bytes = read_file(parquet_golden("types.parquet"));
  bytes.replace(0, 4, "PARE");
  bytes.replace(bytes.size() - 4, 4, "PARE");
  EXPECT_THAT(read_error(write("secret.parquet", bytes)), HasSubstr("secret.parquet: "));
}

std::string varint(std::uint32_t value) {
  std::string bytes;
  for (; value > 127; value >>= 7) bytes += static_cast<char>(value | 128);
  return bytes + static_cast<char>(value);
}

// A file without rows whose schema is a group in a group in a group …, in Thrift's compact
// protocol.
std::string deep_schema(int depth) {
  const std::string group = std::string("\x35\x02\x18\x01g\x15\x02\x00", 8);
  const std::string leaf = std::string("\x15\x02\x25\x02\x18\x01x\x00", 8);
  std::string footer = "\x15\x04\x19\xfc" + varint(static_cast<std::uint32_t>(depth) + 2);
  for (int i = 0; i <= depth; ++i) footer += group;
  footer += leaf + std::string("\x16\x00\x19\x0c\x00", 5);
  const auto size = static_cast<std::uint32_t>(footer.size());
  return "PAR1" + footer + std::string(reinterpret_cast<const char*>(&size), 4) + "PAR1";
}

TEST_F(Parquet, DeepSchemasAreRefused) {
  EXPECT_THAT(read_error(write("3.parquet", deep_schema(3))), HasSubstr("no rows"));
  EXPECT_THAT(read_error(write("300.parquet", deep_schema(300))),
              HasSubstr("nested deeper than 100 levels"));
  for (const int depth : {4'900, 20'000, 900'000}) {
    EXPECT_NE(read_error(write("deep.parquet", deep_schema(depth))), "no error");
  }
}

// Whatever bytes change: rows or one clear error, no crash.
TEST_F(Parquet, DamagedBytesEndInAnError) {
  std::mt19937 random(7);
  int num_errors = 0;
  for (const char* name : {"types.parquet", "nested_small_pages.parquet", "nested.parquet"}) {
    const std::string bytes = read_file(parquet_golden(name));
    for (int round = 0; round < 300; ++round) {
      std::string damaged = bytes;
      for (int i = 0; i <= round % 4; ++i) {
        // Half of the changes hit the footer.
        const std::size_t span =
            round % 2 ? bytes.size() : std::min<std::size_t>(2000, bytes.size());
        damaged[bytes.size() - 1 - random() % span] = static_cast<char>(random());
      }
      const std::string path = write("damaged.parquet", damaged);
      try {
        rows_of(path);
      } catch (const UserError& error) {
        ++num_errors;
        EXPECT_THAT(error.what(), HasSubstr("damaged.parquet"));
      }
    }
  }
  EXPECT_GT(num_errors, 100);
}

TEST_F(Parquet, SharedFilesEqualTheirSources) {
  const char* shared = std::getenv("LAUREL_SHARED");
  if (shared == nullptr) GTEST_SKIP() << "the developers' data is not here (LAUREL_SHARED)";
  const std::string data = std::string(shared) + "/data/";
  std::vector<Json> pairs = json_lines(data + "preference/hh_harmless.jsonl.gz");
  pairs.resize(500);
  for (const char* name : {"hh_harmless_500.snappy.parquet", "hh_harmless_500.zstd.parquet"}) {
    const std::vector<Json> rows = rows_of(data + "parquet/" + name);
    ASSERT_EQ(rows.size(), pairs.size());
    // The order of a message's keys is the file's.
    for (std::size_t i = 0; i < rows.size(); ++i)
      ASSERT_EQ(nlohmann::json(rows[i]), nlohmann::json(pairs[i])) << name << " row " << i + 1;
  }
}

TEST(ParquetPlugin, SaysWhatToDoWithoutIt) {
  EXPECT_EQ(error_of([] { open_parquet_plugin({"/nowhere/liblaurel_parquet.so"}, ""); }),
            "reading Parquet needs a plug-in, expected /nowhere/liblaurel_parquet.so; run "
            "tools/setup parquet and build again, or set LAUREL_PARQUET_PLUGIN");
}

TEST(ParquetPlugin, OtherFilesAreNoPlugin) {
  EXPECT_THAT(error_of([] { open_parquet_plugin({parquet_golden("types.jsonl")}, ""); }),
              AllOf(HasSubstr("Parquet plug-in: "), HasSubstr("set LAUREL_ARROW_LIBRARIES")));
  EXPECT_THAT(error_of([] { open_parquet_plugin({"/proc/self/exe"}, "/nowhere"); }),
              HasSubstr("/nowhere/libarrow.so.2300"));
}

}  // namespace
}  // namespace laurel::formats
