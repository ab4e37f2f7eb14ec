// Files: whole reads, read-only mappings, and outputs that appear whole or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "laurel/base/temporaries.h"

namespace laurel {

// The whole file. Throws IoError if it cannot be read, UserError if it is larger than max_bytes.
std::string read_file(const std::filesystem::path& path,
                      std::uint64_t max_bytes = std::uint64_t{1} << 30);

// A read-only memory mapping of a regular file. Movable; the bytes live as long as the object.
class MappedFile {
 public:
  // Throws IoError if the file cannot be opened or mapped. An empty file gives an empty span.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  // Gives the pages of [offset, offset + length) back to the system; they are read again when
  // touched. For files that are read once from end to end. Offset and length are multiples of 4
  // MiB, but for the last range.
  void release(std::size_t offset, std::size_t length) const;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// A file being written. It appears under `path` only after commit(); until then the bytes are in a
// temporary file beside it, which the destructor removes. Throws IoError (also for a full disk, at
// write() or commit()).
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::string_view bytes);
  // Syncs, then renames to the final name. No write after it.
  void commit();

 private:
  void flush();

  std::filesystem::path path_;
  Temporary temporary_;  // empty for a device or pipe
  std::string buffer_;
  int descriptor_ = -1;
};

// Writes the whole file through AtomicFile.
void write_file(const std::filesystem::path& path, std::string_view bytes);

// A directory being filled. It appears under `path` only after commit(); the destructor removes
// what was not committed. If `path` exists and is not an empty directory, the constructor throws
// UserError.
class AtomicDirectory {
 public:
  explicit AtomicDirectory(std::filesystem::path path);
  AtomicDirectory(const AtomicDirectory&) = delete;
  AtomicDirectory& operator=(const AtomicDirectory&) = delete;

  // Where to write until commit().
  const std::filesystem::path& staging() const { return temporary_.path(); }
  void commit();

 private:
  std::filesystem::path path_;
  Temporary temporary_;
};

}  // namespace laurel
