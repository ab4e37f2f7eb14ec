#include "laurel/formats/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

#include "laurel/base/error.h"

namespace laurel::formats {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 17;
constexpr std::string_view kGzipMagic = "\x1f\x8b";
constexpr std::string_view kZstdMagic = "\x28\xb5\x2f\xfd";
// Skippable zstd frames start with 0x184D2A50 … 5F, little-endian.
constexpr std::string_view kZstdSkippableTail = "\x2a\x4d\x18";
// Window sizes up to 2^27 bytes, as the zstd program accepts by default: memory stays bounded.
constexpr int kZstdMaxWindowLog = 27;

class FileSource : public ByteSource {
 public:
  FileSource(const std::string& path, ReadPosition& position) : path_(path), position_(position) {
    if (path == "-") {
      path_ = "standard input";
      descriptor_ = STDIN_FILENO;
      return;
    }
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor_ < 0) fail("open");
    struct stat info;
    if (::fstat(descriptor_, &info) == 0 && S_ISREG(info.st_mode)) {
      position_.total = static_cast<std::uint64_t>(info.st_size);
    }
  }
  ~FileSource() override {
    if (descriptor_ > STDIN_FILENO) ::close(descriptor_);
  }

  std::size_t read(std::span<char> buffer) override {
    for (;;) {
      const ssize_t count = ::read(descriptor_, buffer.data(), buffer.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail("read");
      position_.done += static_cast<std::uint64_t>(count);
      return static_cast<std::size_t>(count);
    }
  }

 private:
  [[noreturn]] void fail(std::string_view action) {
    throw IoError("{}: cannot {}: {}", path_, action, std::strerror(errno));
  }

  std::string path_;
  ReadPosition& position_;
  int descriptor_ = -1;
};

class MemorySource : public ByteSource {
 public:
  MemorySource(std::span<const std::byte> bytes, ReadPosition& position)
      : bytes_(bytes), position_(position) {
    position_.total = bytes.size();
  }

  std::size_t read(std::span<char> buffer) override {
    const std::size_t count = std::min(buffer.size(), bytes_.size() - position_.done);
    if (count > 0) std::memcpy(buffer.data(), bytes_.data() + position_.done, count);
    position_.done += count;
    return count;
  }

 private:
  std::span<const std::byte> bytes_;
  ReadPosition& position_;
};

// A source with a buffer that decoders consume from.
class BufferedInput {
 public:
  explicit BufferedInput(std::unique_ptr<ByteSource> source)
      : source_(std::move(source)), buffer_(kBufferBytes) {}

  // Unconsumed bytes: at least `wanted` unless the source ends before.
  std::span<char> peek(std::size_t wanted = 1) {
    if (end_ - begin_ < wanted) {
      std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
      while (end_ < wanted) {
        const std::size_t count = source_->read({buffer_.data() + end_, buffer_.size() - end_});
        if (count == 0) break;
        end_ += count;
      }
    }
    return {buffer_.data() + begin_, end_ - begin_};
  }
  void consume(std::size_t count) { begin_ += count; }

 private:
  std::unique_ptr<ByteSource> source_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

class PlainSource : public ByteSource {
 public:
  explicit PlainSource(BufferedInput input) : input_(std::move(input)) {}

  std::size_t read(std::span<char> buffer) override {
    const std::span<char> ready = input_.peek();
    const std::size_t count = std::min(ready.size(), buffer.size());
    if (count > 0) std::memcpy(buffer.data(), ready.data(), count);
    input_.consume(count);
    return count;
  }

 private:
  BufferedInput input_;
};

class GzipSource : public ByteSource {
 public:
  GzipSource(BufferedInput input, std::string name)
      : input_(std::move(input)), name_(std::move(name)) {
    constexpr int kGzipWindow = 15 + 16;  // zlib: largest window, gzip wrapper
    if (inflateInit2(&stream_, kGzipWindow) != Z_OK) throw IoError("{}: cannot start gzip", name_);
  }
  ~GzipSource() override { inflateEnd(&stream_); }

  std::size_t read(std::span<char> buffer) override {
    stream_.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream_.avail_out = static_cast<uInt>(buffer.size());
    while (stream_.avail_out == buffer.size()) {
      const std::span<char> ready = input_.peek();
      if (ready.empty()) {
        if (!in_member_) return 0;
        throw UserError("{}: truncated gzip stream; is the file complete?", name_);
      }
      in_member_ = true;
      inflate_some(ready);
    }
    return buffer.size() - stream_.avail_out;
  }

 private:
  void inflate_some(std::span<char> ready) {
    stream_.next_in = reinterpret_cast<Bytef*>(ready.data());
    stream_.avail_in = static_cast<uInt>(ready.size());
    const int status = inflate(&stream_, Z_NO_FLUSH);
    input_.consume(ready.size() - stream_.avail_in);
    if (status == Z_STREAM_END) {  // another member may follow
      inflateReset(&stream_);
      in_member_ = false;
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      throw UserError("{}: damaged gzip stream: {}", name_, stream_.msg ? stream_.msg : "bad data");
    }
  }

  BufferedInput input_;
  std::string name_;
  z_stream stream_ = {};
  bool in_member_ = false;
};

class ZstdSource : public ByteSource {
 public:
  ZstdSource(BufferedInput input, std::string name)
      : input_(std::move(input)), name_(std::move(name)), stream_(ZSTD_createDStream()) {
    if (stream_ == nullptr) throw IoError("{}: cannot start zstd", name_);
    ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, kZstdMaxWindowLog);
  }

  std::size_t read(std::span<char> buffer) override {
    ZSTD_outBuffer out{buffer.data(), buffer.size(), 0};
    while (out.pos == 0) {
      const std::span<char> ready = input_.peek();
      if (ready.empty() && !in_frame_) return 0;
      ZSTD_inBuffer in{ready.data(), ready.size(), 0};
      const std::size_t status = ZSTD_decompressStream(stream_.get(), &out, &in);
      if (ZSTD_isError(status)) {
        throw UserError("{}: damaged zstd stream: {}", name_, ZSTD_getErrorName(status));
      }
      input_.consume(in.pos);
      in_frame_ = status != 0;
      if (in_frame_ && ready.empty() && out.pos == 0) {
        throw UserError("{}: truncated zstd stream; is the file complete?", name_);
      }
    }
    return out.pos;
  }

 private:
  struct Free {
    void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
  };
  BufferedInput input_;
  std::string name_;
  std::unique_ptr<ZSTD_DStream, Free> stream_;
  bool in_frame_ = false;
};

}  // namespace

std::unique_ptr<ByteSource> open_raw(const std::string& path, ReadPosition& position) {
  return std::make_unique<FileSource>(path, position);
}

std::unique_ptr<ByteSource> memory_source(std::span<const std::byte> bytes,
                                          ReadPosition& position) {
  return std::make_unique<MemorySource>(bytes, position);
}

std::unique_ptr<ByteSource> decompressed(std::unique_ptr<ByteSource> raw, const std::string& name) {
  BufferedInput input(std::move(raw));
  const std::span<char> ready = input.peek(kZstdMagic.size());
  const std::string_view head(ready.data(), ready.size());
  if (head.starts_with(kGzipMagic)) return std::make_unique<GzipSource>(std::move(input), name);
  const bool skippable =
      head.size() >= 4 && (head[0] & 0xf0) == 0x50 && head.substr(1, 3) == kZstdSkippableTail;
  if (skippable || head.starts_with(kZstdMagic))
    return std::make_unique<ZstdSource>(std::move(input), name);
  return std::make_unique<PlainSource>(std::move(input));
}

}  // namespace laurel::formats
