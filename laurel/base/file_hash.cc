#include "laurel/base/file_hash.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <span>

#include "laurel/base/hash.h"
#include "laurel/base/range_reader.h"

namespace laurel {
namespace {

constexpr std::size_t kChunk = std::size_t{16} << 20;
constexpr std::align_val_t kAlignment{kReadAlignment};

struct Free {
  void operator()(std::byte* p) const { ::operator delete(p, kAlignment); }
};
using Buffer = std::unique_ptr<std::byte, Free>;

// What the page cache holds is hashed where it lies: the model's own mapping needs it. The rest is
// not brought there.
std::string chunk_digest(const RangeReader& file, std::size_t offset, Buffer& buffer) {
  const std::size_t length = std::min(kChunk, file.mapping().bytes().size() - offset);
  Fingerprinter chunk;
  if (file.is_cached(offset, length)) {
    chunk.add(file.mapping().bytes().subspan(offset, length));
    file.mapping().release(offset, length);
    return chunk.digest();
  }
  if (buffer == nullptr) {
    buffer.reset(static_cast<std::byte*>(::operator new(kChunk, kAlignment)));
  }
  file.read_around_cache(offset, {buffer.get(), aligned_up(length)}, length);
  chunk.add(std::span<const std::byte>(buffer.get(), length));
  return chunk.digest();
}

}  // namespace

std::string fingerprint_files(const std::vector<std::filesystem::path>& paths, ThreadPool& pool) {
  Fingerprinter total;
  for (const std::filesystem::path& path : paths) {
    const RangeReader file(path);
    std::vector<std::string> chunks((file.mapping().bytes().size() + kChunk - 1) / kChunk);
    pool.parallel_for(static_cast<std::int64_t>(chunks.size()), 1,
                      [&](std::int64_t begin, std::int64_t end, int) {
                        Buffer buffer;
                        for (auto i = static_cast<std::size_t>(begin);
                             i < static_cast<std::size_t>(end); ++i) {
                          chunks[i] = chunk_digest(file, i * kChunk, buffer);
                        }
                      });
    total.add(path.filename().string());
    for (const std::string& chunk : chunks) total.add(chunk);
  }
  return total.digest();
}

}  // namespace laurel
