#include "laurel/base/file_hash.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <system_error>

#include "laurel/base/aligned_array.h"
#include "laurel/base/hash.h"
#include "laurel/base/memory.h"
#include "laurel/base/range_reader.h"

namespace laurel {
namespace {

constexpr std::size_t kChunk = std::size_t{16} << 20;
using Buffer = AlignedArray<std::byte, kReadAlignment>;

// Files that the page cache can hold beside everything else belong there: the next run reads them
// again.
bool fits_cache(const std::vector<std::filesystem::path>& paths) {
  std::uint64_t total = 0;
  for (const std::filesystem::path& path : paths) {
    std::error_code ignored;
    const std::uintmax_t size = std::filesystem::file_size(path, ignored);
    if (!ignored) total += size;
  }
  const std::optional<std::int64_t> available = available_memory();
  return available && total <= static_cast<std::uint64_t>(*available / 4);
}

// What the page cache holds is hashed where it lies: the model's own mapping needs it. The rest is
// brought there only if `through_cache`.
std::string chunk_digest(const RangeReader& file, std::size_t offset, bool through_cache,
                         Buffer& buffer) {
  const std::size_t length = std::min(kChunk, file.mapping().bytes().size() - offset);
  Fingerprinter chunk;
  if (through_cache || file.is_cached(offset, length)) {
    chunk.add(file.mapping().bytes().subspan(offset, length));
    file.mapping().release(offset, length);
    return chunk.digest();
  }
  if (buffer == nullptr) buffer = make_aligned_array<std::byte, kReadAlignment>(kChunk);
  file.read_around_cache(offset, {buffer.get(), aligned_up(length)}, length);
  chunk.add(std::span<const std::byte>(buffer.get(), length));
  return chunk.digest();
}

}  // namespace

std::string fingerprint_files(const std::vector<std::filesystem::path>& paths, ThreadPool& pool) {
  Fingerprinter total;
  const bool through_cache = fits_cache(paths);
  for (const std::filesystem::path& path : paths) {
    const RangeReader file(path);
    std::vector<std::string> chunks((file.mapping().bytes().size() + kChunk - 1) / kChunk);
    pool.parallel_for(static_cast<std::int64_t>(chunks.size()), 1,
                      [&](std::int64_t begin, std::int64_t end, int) {
                        Buffer buffer;
                        for (auto i = static_cast<std::size_t>(begin);
                             i < static_cast<std::size_t>(end); ++i) {
                          chunks[i] = chunk_digest(file, i * kChunk, through_cache, buffer);
                        }
                      });
    total.add(path.filename().string());
    for (const std::string& chunk : chunks) total.add(chunk);
  }
  return total.digest();
}

}  // namespace laurel
