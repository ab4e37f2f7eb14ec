#include "laurel/base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "laurel/base/error.h"

namespace laurel {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kWriteBuffer = std::size_t{1} << 16;

[[noreturn]] void fail(const fs::path& path, std::string_view action) {
  throw IoError("{}: cannot {}: {}", path.string(), action, std::strerror(errno));
}

// Closes the descriptor when leaving a scope.
struct Descriptor {
  int value;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

std::uint64_t regular_file_size(int descriptor, const fs::path& path) {
  struct stat info;
  if (::fstat(descriptor, &info) != 0) fail(path, "stat");
  if (!S_ISREG(info.st_mode)) throw IoError("{}: not a regular file", path.string());
  return static_cast<std::uint64_t>(info.st_size);
}

void write_all(int descriptor, std::string_view bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
    if (count < 0) {
      if (errno == EINTR) continue;
      fail(path, "write");
    }
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

// A sibling name that nothing else uses, in this process or another.
fs::path temporary_name(const fs::path& path) {
  static std::atomic<unsigned> counter = 0;
  return fs::path(fmt::format("{}.{}-{}.tmp", path.string(), ::getpid(), ++counter));
}

// O_NONBLOCK: opening a named pipe by mistake must not wait for a writer. It does nothing to
// regular files.
int open_for_reading(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) fail(path, "open");
  return descriptor;
}

// Makes a rename durable. Best effort: some file systems refuse to sync a directory.
void sync_parent(const fs::path& path) {
  const fs::path parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const Descriptor directory{::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (directory.value >= 0) ::fsync(directory.value);
}

}  // namespace

std::string read_file(const fs::path& path, std::uint64_t max_bytes) {
  const Descriptor file{open_for_reading(path)};
  const std::uint64_t size = regular_file_size(file.value, path);
  if (size > max_bytes) {
    throw UserError("{}: file too large, expected at most {} bytes, got {}", path.string(),
                    max_bytes, size);
  }
  std::string content(size, '\0');
  std::size_t filled = 0;
  while (filled < content.size()) {
    const ssize_t count = ::read(file.value, content.data() + filled, content.size() - filled);
    if (count < 0) {
      if (errno == EINTR) continue;
      fail(path, "read");
    }
    if (count == 0) break;  // the file shrank while it was read
    filled += static_cast<std::size_t>(count);
  }
  content.resize(filled);
  return content;
}

MappedFile::MappedFile(const fs::path& path) : path_(path) {
  const Descriptor file{open_for_reading(path)};
  size_ = regular_file_size(file.value, path);
  if (size_ == 0) return;
  void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.value, 0);
  if (address == MAP_FAILED) fail(path, "map");
  data_ = static_cast<const std::byte*>(address);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::release(std::size_t offset, std::size_t length) const {
  if (length > 0)
    ::madvise(const_cast<std::byte*>(data_) + offset, length, MADV_DONTNEED);  // a hint
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)) {
  if (path_.empty()) throw UserError("output file: empty name, expected a file name");
  std::error_code ignored;
  const fs::file_status status = fs::status(path_, ignored);
  if (fs::is_directory(status)) {
    throw UserError("{}: is a directory, expected a file name", path_.string());
  }
  if (!fs::exists(status) || fs::is_regular_file(status)) {
    temporary_.start(temporary_name(path_));
    descriptor_ = ::open(temporary_.path().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  } else {  // a pipe or device: there is nothing to rename, and /dev/null must stay what it is
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
  }
  if (descriptor_ < 0) fail(path_, "create");
  buffer_.reserve(kWriteBuffer);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void AtomicFile::write(std::string_view bytes) {
  buffer_.append(bytes);
  if (buffer_.size() >= kWriteBuffer) flush();
}

void AtomicFile::flush() {
  write_all(descriptor_, buffer_, path_);
  buffer_.clear();
}

void AtomicFile::commit() {
  flush();
  if (temporary_.empty()) {
    if (::close(std::exchange(descriptor_, -1)) != 0) fail(path_, "finish writing");
    return;
  }
  if (::fsync(descriptor_) != 0) fail(path_, "sync");
  if (::close(std::exchange(descriptor_, -1)) != 0 ||
      ::rename(temporary_.path().c_str(), path_.c_str()) != 0) {
    const int reason = errno;
    temporary_.discard();
    errno = reason;
    fail(path_, "finish writing");
  }
  temporary_.keep();
  sync_parent(path_);
}

void write_file(const fs::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

AtomicDirectory::AtomicDirectory(fs::path path) : path_(std::move(path)) {
  if (path_.empty()) throw UserError("output directory: empty name, expected a directory name");
  const fs::path last = path_.filename();
  if (last == "." || last == "..")
    path_ = fs::absolute(path_).lexically_normal();  // cannot be renamed to
  while (path_.has_relative_path() && path_.filename().empty()) path_ = path_.parent_path();
  std::error_code error;
  if (fs::exists(path_, error) && !(fs::is_directory(path_, error) && fs::is_empty(path_, error))) {
    throw UserError("{}: already exists, expected a new or empty directory", path_.string());
  }
  if (path_.has_parent_path()) fs::create_directories(path_.parent_path(), error);
  temporary_.start(temporary_name(path_));
  if (::mkdir(staging().c_str(), 0755) != 0) fail(path_, "create directory");
}

void AtomicDirectory::commit() {
  std::error_code error;
  fs::rename(staging(), path_, error);  // replaces an empty directory
  if (error) throw IoError("{}: cannot finish directory: {}", path_.string(), error.message());
  temporary_.keep();
  sync_parent(path_);
}

}  // namespace laurel
