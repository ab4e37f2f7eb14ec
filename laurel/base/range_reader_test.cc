#include "laurel/base/range_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "laurel/base/error.h"
#include "laurel/base/file_hash.h"
#include "laurel/base/test_support.h"

namespace laurel {
namespace {

namespace fs = std::filesystem;

// Memory that direct reads accept.
class Buffer {
 public:
  explicit Buffer(std::size_t size)
      : memory_(static_cast<std::byte*>(std::aligned_alloc(kReadAlignment, size)), &std::free),
        size_(size) {}
  std::span<std::byte> span() const { return {memory_.get(), size_}; }
  std::string text(std::size_t begin, std::size_t length) const {
    return {reinterpret_cast<const char*>(memory_.get()) + begin, length};
  }

 private:
  std::unique_ptr<std::byte, decltype(&std::free)> memory_;
  std::size_t size_;
};

class RangeReaderTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = fs::path(testing::TempDir()) / "laurel_range_reader_test";
    for (int i = 0; content_.size() < 5 * kReadAlignment + 123; ++i) {
      content_ += std::to_string(i) + ",";
    }
    write_file(path_, content_);
  }
  void TearDown() override { fs::remove(path_); }

  // Writes the file to the disk and out of the page cache, if it can be.
  void make_cold() const {
    const int file = ::open(path_.c_str(), O_RDWR);
    ::fsync(file);
    ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    ::close(file);
  }

  fs::path path_;
  std::string content_;
};

TEST_F(RangeReaderTest, ReadsAnyPiece) {
  const RangeReader reader(path_);
  for (const std::size_t offset : {std::size_t{0}, std::size_t{1}, std::size_t{4095},
                                   std::size_t{9000}, content_.size() - 1}) {
    std::string piece(std::min<std::size_t>(300, content_.size() - offset), '\0');
    reader.read(offset, std::as_writable_bytes(std::span(piece)));
    EXPECT_EQ(piece, content_.substr(offset, piece.size()));
  }
}

TEST_F(RangeReaderTest, ReadsTheSameBytesColdAndCached) {
  for (const bool cold : {true, false}) {
    if (cold) make_cold();
    const RangeReader reader(path_);
    if (!cold) {  // all of it
      std::string whole(content_.size(), '\0');
      reader.read(0, std::as_writable_bytes(std::span(whole)));
    }
    for (const std::size_t page : {0, 1, 3}) {
      const std::size_t begin = page * kReadAlignment;
      const std::size_t needed = std::min(2 * kReadAlignment + 5, content_.size() - begin);
      const Buffer buffer(aligned_up(needed));
      const bool cached = reader.read_around_cache(begin, buffer.span(), needed);
      EXPECT_EQ(buffer.text(0, needed), content_.substr(begin, needed)) << cold << page;
      if (!cold) {
        EXPECT_TRUE(cached);
      }
    }
    const std::size_t last = aligned_down(content_.size());  // the window ends beyond the file
    const Buffer buffer(kReadAlignment);
    reader.read_around_cache(last, buffer.span(), content_.size() - last);
    EXPECT_EQ(buffer.text(0, content_.size() - last), content_.substr(last));
  }
}

TEST_F(RangeReaderTest, ReadsLeaveTheCacheAsItWas) {
  make_cold();
  const RangeReader reader(path_);
  const Buffer buffer(2 * kReadAlignment);
  if (reader.read_around_cache(0, buffer.span(), buffer.span().size())) {
    GTEST_SKIP() << "the file cannot be dropped from the cache here";
  }
  EXPECT_FALSE(reader.read_around_cache(0, buffer.span(), buffer.span().size()));
}

TEST_F(RangeReaderTest, AFileThatBecameShorterIsAnIoError) {
  const RangeReader reader(path_);
  fs::resize_file(path_, kReadAlignment + 10);
  const Buffer buffer(2 * kReadAlignment);
  const std::string expected =
      path_.string() + ": cut off while in use, expected 8192 bytes at offset 0, got 4106";
  EXPECT_EQ(error_text<IoError>([&] { reader.read_around_cache(0, buffer.span(), 8192); }),
            expected);
  EXPECT_EQ(error_text<IoError>([&] { reader.read(kReadAlignment, buffer.span().first(20)); }),
            path_.string() + ": cut off while in use, expected 20 bytes at offset 4096, got 10");
  reader.read(kReadAlignment, buffer.span().first(10));
}

TEST_F(RangeReaderTest, FingerprintsDoNotDependOnTheCache) {
  ThreadPool one(1), two(2);
  const std::string cached = fingerprint_files({path_}, one);
  make_cold();
  EXPECT_EQ(fingerprint_files({path_}, two), cached);
  write_file(path_, content_ + "1");
  EXPECT_NE(fingerprint_files({path_}, one), cached);
}

TEST_F(RangeReaderTest, AMissingFileIsAnIoError) {
  EXPECT_THROW(RangeReader(path_.string() + ".no"), IoError);
}

}  // namespace
}  // namespace laurel
