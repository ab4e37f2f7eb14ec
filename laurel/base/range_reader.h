// Reads of large ranges of a file that leave the system's page cache as they found it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "laurel/base/file.h"

namespace laurel {

// Offsets, sizes and addresses of read_around_cache() are multiples of it.
inline constexpr std::size_t kReadAlignment = 4096;

constexpr std::uint64_t aligned_down(std::uint64_t offset) {
  return offset / kReadAlignment * kReadAlignment;
}
constexpr std::uint64_t aligned_up(std::uint64_t offset) {
  return aligned_down(offset + kReadAlignment - 1);
}

// Reads of one file, which is mapped but not touched there by the reads: a file that is cut off
// while it is in use is an IoError, not a signal. Thread-safe.
class RangeReader {
 public:
  // Throws IoError if the file cannot be opened.
  explicit RangeReader(const std::filesystem::path& path);
  ~RangeReader();
  RangeReader(const RangeReader&) = delete;
  RangeReader& operator=(const RangeReader&) = delete;

  // Fills `target` with the bytes from `offset` on, through the page cache. For small pieces.
  // Throws IoError, also if the file ends before.
  void read(std::uint64_t offset, std::span<std::byte> target) const;

  // The same for a large piece; only its first `needed` bytes must exist. What the page cache holds
  // as a whole comes from there. Everything else is read past it where the file system can
  // (O_DIRECT), and where it cannot, through it and dropped from it afterwards. Returns whether the
  // bytes came from the cache.
  bool read_around_cache(std::uint64_t offset, std::span<std::byte> target,
                         std::size_t needed) const;

  // Whether every page of the range is in the page cache, as far as the system tells.
  bool is_cached(std::uint64_t offset, std::size_t length) const;
  // The mapping, for who takes the risk to touch it.
  const MappedFile& mapping() const { return mapping_; }

 private:
  MappedFile mapping_;
  int buffered_ = -1;
  int direct_ = -1;         // -1 where the file system refuses
  bool sees_cache_ = true;  // the system answers owners and writers of a file only
};

}  // namespace laurel
