#include "laurel/train/append_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "laurel/base/error.h"

namespace laurel::train {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const char* action, int reason) {
  throw IoError("{}: cannot {}: {}", path.string(), action, std::strerror(reason));
}

}  // namespace

AppendFile::AppendFile(std::filesystem::path path) : path_(std::move(path)) {
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (descriptor_ < 0) fail(path_, "open", errno);
}

AppendFile::~AppendFile() { ::close(descriptor_); }

void AppendFile::append(std::string_view bytes) {
  const off_t before = ::lseek(descriptor_, 0, SEEK_END);
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const int reason = errno;
      if (before >= 0 && ::ftruncate(descriptor_, before) != 0) fail(path_, "write", reason);
      fail(path_, "write", reason);
    }
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

void AppendFile::sync() {
  if (::fsync(descriptor_) != 0) fail(path_, "sync", errno);
}

}  // namespace laurel::train
