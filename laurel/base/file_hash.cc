#include "laurel/base/file_hash.h"

#include <algorithm>
#include <cstddef>
#include <span>

#include "laurel/base/file.h"
#include "laurel/base/hash.h"

namespace laurel {

std::string fingerprint_files(const std::vector<std::filesystem::path>& paths, ThreadPool& pool) {
  constexpr std::size_t kChunk = std::size_t{16} << 20;
  Fingerprinter total;
  for (const std::filesystem::path& path : paths) {
    const MappedFile file(path);
    const std::span<const std::byte> bytes = file.bytes();
    std::vector<std::string> chunks((bytes.size() + kChunk - 1) / kChunk);
    pool.parallel_for(
        static_cast<std::int64_t>(chunks.size()), 1,
        [&](std::int64_t begin, std::int64_t end, int) {
          for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
            Fingerprinter chunk;
            const std::size_t length = std::min(kChunk, bytes.size() - i * kChunk);
            chunk.add(bytes.subspan(i * kChunk, length));
            file.release(i * kChunk, length);  // the weights' own mapping holds what is needed
            chunks[i] = chunk.digest();
          }
        });
    total.add(path.filename().string());
    for (const std::string& chunk : chunks) total.add(chunk);
  }
  return total.digest();
}

}  // namespace laurel
