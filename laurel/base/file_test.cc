#include "laurel/base/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <string>
#include <vector>

#include "laurel/base/error.h"
#include "laurel/base/test_support.h"

namespace laurel {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class File : public ::testing::Test {
 protected:
  File() : folder_(fs::temp_directory_path() / ("laurel_file_test." + std::to_string(::getpid()))) {
    fs::remove_all(folder_);
    fs::create_directory(folder_);
  }
  ~File() override { fs::remove_all(folder_); }

  fs::path path(const char* name) const { return folder_ / name; }

  // Names in the folder, sorted: temporary files would show.
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder_))
      found.push_back(entry.path().filename());
    std::sort(found.begin(), found.end());
    return found;
  }

  fs::path folder_;
};

// Caps the size of files that this process may write: a full disk, without one.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

TEST_F(File, WrittenWholeAndReadBack) {
  const std::string content = std::string("a\0b\n", 4) + std::string(200'000, 'x');
  write_file(path("f"), content);
  EXPECT_EQ(read_file(path("f")), content);
  const MappedFile mapped(path("f"));
  ASSERT_EQ(mapped.bytes().size(), content.size());
  EXPECT_EQ(std::memcmp(mapped.bytes().data(), content.data(), content.size()), 0);
  EXPECT_EQ(mapped.path(), path("f"));
  EXPECT_THAT(names(), ::testing::ElementsAre("f"));
}

TEST_F(File, EmptyFile) {
  write_file(path("f"), "");
  EXPECT_EQ(read_file(path("f")), "");
  EXPECT_TRUE(MappedFile(path("f")).bytes().empty());
}

TEST_F(File, MappingMoves) {
  write_file(path("a"), "first");
  write_file(path("b"), "second");
  MappedFile a(path("a"));
  MappedFile b(std::move(a));
  EXPECT_TRUE(a.bytes().empty());  // NOLINT: moved from on purpose
  a = MappedFile(path("b"));
  EXPECT_EQ(b.bytes().size(), 5u);
  EXPECT_EQ(a.bytes().size(), 6u);
}

TEST_F(File, ReadingSaysWhatIsWrong) {
  const std::string missing = path("missing").string();
  EXPECT_EQ(error_text<IoError>([&] { read_file(missing); }),
            missing + ": cannot open: No such file or directory");
  EXPECT_EQ(error_text<IoError>([&] { MappedFile{missing}; }),
            missing + ": cannot open: No such file or directory");
  EXPECT_EQ(error_text<IoError>([&] { read_file(folder_); }),
            folder_.string() + ": not a regular file");
  write_file(path("f"), "12345");
  EXPECT_EQ(read_file(path("f"), 5), "12345");
  EXPECT_EQ(error_text<UserError>([&] { read_file(path("f"), 4); }),
            path("f").string() + ": file too large, expected at most 4 bytes, got 5");
}

TEST_F(File, ReadingAPipeDoesNotWait) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_THAT(error_text<IoError>([&] { read_file(path("pipe")); }),
              HasSubstr("not a regular file"));
  EXPECT_THROW(MappedFile{path("pipe")}, IoError);
}

TEST_F(File, AppearsOnlyAtCommit) {
  write_file(path("f"), "old");
  {
    AtomicFile file(path("f"));
    file.write("new");
    file.write(std::string(1 << 17, 'x'));  // past the buffer: on disk already, under another name
    EXPECT_EQ(read_file(path("f")), "old");
    EXPECT_EQ(names().size(), 2u);
    file.commit();
    EXPECT_EQ(read_file(path("f")).size(), 3u + (1 << 17));
  }
  EXPECT_THAT(names(), ::testing::ElementsAre("f"));
}

TEST_F(File, NothingIsLeftWithoutCommit) {
  {
    AtomicFile file(path("f"));
    file.write(std::string(1 << 17, 'x'));
  }
  EXPECT_THAT(names(), ::testing::IsEmpty());
}

TEST_F(File, TwoWritersOfOneNameDoNotMix) {
  AtomicFile first(path("f"));
  AtomicFile second(path("f"));
  first.write("first");
  second.write("second");
  second.commit();
  EXPECT_EQ(read_file(path("f")), "second");
  first.commit();
  EXPECT_EQ(read_file(path("f")), "first");
}

TEST_F(File, AFullDiskIsAnErrorAndLeavesNothing) {
  write_file(path("f"), "old");
  {
    const FileSizeLimit limit(100'000);
    AtomicFile early(path("f"));  // fails in write
    EXPECT_THAT(error_text<IoError>([&] { early.write(std::string(200'000, 'x')); }),
                HasSubstr("f: cannot write: File too large"));
  }
  {
    const FileSizeLimit limit(1000);
    AtomicFile late(path("f"));
    late.write(std::string(2000, 'x'));  // still in the buffer
    EXPECT_THROW(late.commit(), IoError);
  }
  EXPECT_EQ(read_file(path("f")), "old");
  EXPECT_THAT(names(), ::testing::ElementsAre("f"));
}

// Through links, so that a mistake replaces the link and not the machine's device.
TEST_F(File, ADeviceIsWrittenToAndStays) {
  fs::create_symlink("/dev/null", path("null"));
  write_file(path("null"), "gone");
  EXPECT_TRUE(fs::is_character_file(path("null")));
  fs::create_symlink("/dev/full", path("full"));
  EXPECT_EQ(error_text<IoError>([&] { write_file(path("full"), "x"); }),
            path("full").string() + ": cannot write: No space left on device");
  EXPECT_TRUE(fs::is_character_file(path("full")));
  EXPECT_THAT(names(), ::testing::ElementsAre("full", "null"));
}

TEST_F(File, OutputNamesThatCannotBe) {
  EXPECT_EQ(error_text<UserError>([&] { AtomicFile{folder_}; }),
            folder_.string() + ": is a directory, expected a file name");
  EXPECT_THAT(error_text<IoError>([&] { AtomicFile{path("no/such/folder")}; }),
              HasSubstr("no/such/folder: cannot create: No such file or directory"));
  EXPECT_THAT(error_text<UserError>([] { AtomicFile{""}; }), HasSubstr("empty name"));
  EXPECT_THAT(error_text<IoError>([&] { AtomicFile{path(std::string(300, 'n').c_str())}; }),
              HasSubstr("cannot create: File name too long"));
}

TEST_F(File, CommitFailsWhenTheNameWasTaken) {
  AtomicFile file(path("f"));
  file.write("x");
  fs::create_directory(path("f"));
  EXPECT_THAT(error_text<IoError>([&] { file.commit(); }), HasSubstr("f: cannot finish writing: "));
  EXPECT_THAT(names(), ::testing::ElementsAre("f"));
}

TEST_F(File, DirectoryAppearsOnlyAtCommit) {
  {
    AtomicDirectory directory(path("parent/out/"));
    write_file(directory.staging() / "a", "1");
    EXPECT_FALSE(fs::exists(path("parent/out")));
    directory.commit();
  }
  EXPECT_EQ(read_file(path("parent/out/a")), "1");
  EXPECT_EQ(std::distance(fs::directory_iterator(path("parent")), {}), 1);
}

TEST_F(File, DirectoryNotCommittedIsRemoved) {
  {
    AtomicDirectory directory(path("out"));
    fs::create_directory(directory.staging() / "inner");
    write_file(directory.staging() / "inner" / "a", "1");
  }
  EXPECT_THAT(names(), ::testing::IsEmpty());
}

TEST_F(File, DirectoryMayReplaceAnEmptyOneOnly) {
  fs::create_directory(path("out"));
  AtomicDirectory(path("out") / ".").commit();
  EXPECT_TRUE(fs::is_directory(path("out")));
  write_file(path("out/a"), "1");
  EXPECT_EQ(error_text<UserError>([&] { AtomicDirectory{path("out")}; }),
            path("out").string() + ": already exists, expected a new or empty directory");
  EXPECT_THROW(AtomicDirectory{path("out/a")}, UserError);  // a file
  EXPECT_THAT(error_text<UserError>([] { AtomicDirectory{""}; }), HasSubstr("empty name"));
  EXPECT_THAT(error_text<IoError>([&] { AtomicDirectory{path("out/a/b")}; }),
              HasSubstr("cannot create directory: "));
}

TEST_F(File, DirectoryCommitFailsWhenTheNameWasTaken) {
  {
    AtomicDirectory directory(path("out"));
    fs::create_directory(path("out"));
    write_file(path("out/theirs"), "1");
    EXPECT_THAT(error_text<IoError>([&] { directory.commit(); }),
                HasSubstr("out: cannot finish directory: "));
  }
  EXPECT_THAT(names(), ::testing::ElementsAre("out"));
  EXPECT_EQ(read_file(path("out/theirs")), "1");
}

}  // namespace
}  // namespace laurel
