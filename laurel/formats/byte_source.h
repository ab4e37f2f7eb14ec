// Bytes of a file, of standard input or of memory, decompressed when they are gzip or zstd.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace laurel::formats {

// A stream of bytes, read once from front to back.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Up to buffer.size() bytes; 0 only at the end.
  virtual std::size_t read(std::span<char> buffer) = 0;
};

// How far a raw source has been read; total is 0 when unknown.
struct ReadPosition {
  std::uint64_t done = 0;
  std::uint64_t total = 0;
};

// The bytes of the file, or of standard input for "-"; throws IoError. `position` outlives the
// source.
std::unique_ptr<ByteSource> open_raw(const std::string& path, ReadPosition& position);
// `bytes` and `position` outlive the source.
std::unique_ptr<ByteSource> memory_source(std::span<const std::byte> bytes, ReadPosition& position);

// `raw` itself, or its decompressed content when it starts as gzip (any number of members) or zstd
// (any number of frames) does. Reading throws UserError `<name>: …` for a damaged or truncated
// stream.
std::unique_ptr<ByteSource> decompressed(std::unique_ptr<ByteSource> raw, const std::string& name);

}  // namespace laurel::formats
