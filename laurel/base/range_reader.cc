#include "laurel/base/range_reader.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "laurel/base/error.h"

namespace laurel {
namespace {

// Bytes read, fewer than `target` at the end of the file; -1 with errno for an error.
ssize_t read_fully(int descriptor, std::uint64_t offset, std::span<std::byte> target) {
  std::size_t filled = 0;
  while (filled < target.size()) {
    const ssize_t count = ::pread(descriptor, target.data() + filled, target.size() - filled,
                                  static_cast<off_t>(offset + filled));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return -1;
    filled += static_cast<std::size_t>(count);
    // A direct read that ends inside a page has met the end of the file, and cannot go on there.
    if (count == 0 || (filled < target.size() && filled % kReadAlignment != 0)) break;
  }
  return static_cast<ssize_t>(filled);
}

void check_count(ssize_t count, std::uint64_t offset, std::size_t needed,
                 const std::filesystem::path& path) {
  if (count < 0) throw IoError("{}: cannot read: {}", path.string(), std::strerror(errno));
  if (static_cast<std::size_t>(count) >= needed) return;
  throw IoError("{}: cut off while in use, expected {} bytes at offset {}, got {}", path.string(),
                needed, offset, count);
}

}  // namespace

RangeReader::RangeReader(const std::filesystem::path& path) : mapping_(path) {
  constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
  buffered_ = ::open(path.c_str(), kFlags);
  if (buffered_ < 0) throw IoError("{}: cannot open: {}", path.string(), std::strerror(errno));
  direct_ = ::open(path.c_str(), kFlags | O_DIRECT);
  struct stat info;
  sees_cache_ = ::access(path.c_str(), W_OK) == 0 ||
                (::fstat(buffered_, &info) == 0 && info.st_uid == ::geteuid());
}

RangeReader::~RangeReader() {
  ::close(buffered_);
  if (direct_ >= 0) ::close(direct_);
}

void RangeReader::read(std::uint64_t offset, std::span<std::byte> target) const {
  std::size_t filled = 0;
  while (filled < target.size()) {
    const ssize_t count = read_fully(buffered_, offset + filled, target.subspan(filled));
    if (count <= 0) {
      check_count(count < 0 ? count : static_cast<ssize_t>(filled), offset, target.size(),
                  mapping_.path());
    }
    filled += static_cast<std::size_t>(count);
  }
}

bool RangeReader::read_around_cache(std::uint64_t offset, std::span<std::byte> target,
                                    std::size_t needed) const {
  const bool cached = is_cached(offset, needed);
  if (!cached && direct_ >= 0) {
    const ssize_t count = read_fully(direct_, offset, target);
    if (count >= 0 || errno != EINVAL) {  // EINVAL: a larger alignment than ours
      check_count(count, offset, needed, mapping_.path());
      return false;
    }
  }
  const auto start = static_cast<off_t>(offset);
  const auto length = static_cast<off_t>(needed);
  if (!cached) ::posix_fadvise(buffered_, start, length, POSIX_FADV_WILLNEED);
  read(offset, target.first(needed));
  if (!cached) ::posix_fadvise(buffered_, start, length, POSIX_FADV_DONTNEED);
  return cached;
}

bool RangeReader::is_cached(std::uint64_t offset, std::size_t length) const {
  if (!sees_cache_ || offset + length > mapping_.bytes().size()) return false;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t begin = static_cast<std::size_t>(offset) / page * page;
  const std::size_t end = static_cast<std::size_t>(offset) + length;
  std::vector<unsigned char> resident((end - begin + page - 1) / page);
  auto* address = const_cast<std::byte*>(mapping_.bytes().data()) + begin;
  if (::mincore(address, end - begin, resident.data()) != 0) return false;
  return std::all_of(resident.begin(), resident.end(),
                     [](unsigned char r) { return (r & 1) != 0; });
}

}  // namespace laurel
