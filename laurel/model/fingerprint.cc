#include "laurel/model/fingerprint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>

#include "laurel/base/file_hash.h"
#include "laurel/base/hash.h"
#include "laurel/base/range_reader.h"

namespace laurel::model {
namespace {

constexpr std::size_t kWholeBytes = std::size_t{1} << 20;
constexpr std::size_t kSampleBytes = std::size_t{64} << 10;
constexpr std::size_t kSampleDistance = std::size_t{16} << 20;

using Readers = std::map<std::string, std::unique_ptr<RangeReader>>;

void add_piece(const formats::TensorView& tensor, std::size_t begin, std::size_t size,
               const RangeReader* reader, Fingerprinter& hash) {
  if (!tensor.file_offset) return hash.add(tensor.data.subspan(begin, size));
  std::vector<std::byte> bytes(size);
  reader->read(*tensor.file_offset + begin, bytes);
  hash.add(bytes);
}

std::string tensor_fingerprint(const formats::TensorView& tensor, const RangeReader* reader) {
  Fingerprinter hash;
  hash.add(fmt::format("{} {} {}", tensor.name, dtype_name(tensor.dtype),
                       formats::shape_text(tensor.shape)));
  const std::size_t size = tensor.data.size();
  if (size <= kWholeBytes) {
    add_piece(tensor, 0, size, reader, hash);
    return hash.digest();
  }
  for (std::size_t begin = 0; begin < size; begin += kSampleDistance) {
    add_piece(tensor, begin, std::min(kSampleBytes, size - begin), reader, hash);
  }
  add_piece(tensor, size - kSampleBytes, kSampleBytes, reader, hash);
  return hash.digest();
}

}  // namespace

std::string sampled_fingerprint(const std::vector<std::filesystem::path>& files,
                                std::span<const PlannedTensor> tensors, ThreadPool& pool) {
  Readers readers;
  for (const PlannedTensor& tensor : tensors) {
    std::unique_ptr<RangeReader>& reader = readers[tensor.stored->file];
    if (reader == nullptr) reader = std::make_unique<RangeReader>(tensor.stored->file);
  }
  std::vector<std::string> digests(tensors.size());
  pool.parallel_for(
      static_cast<std::int64_t>(tensors.size()), 1, [&](std::int64_t begin, std::int64_t end, int) {
        for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
          const formats::TensorView& tensor = *tensors[i].stored;
          digests[i] = tensor_fingerprint(tensor, readers.at(tensor.file).get());
        }
      });
  Fingerprinter total;
  total.add(fingerprint_files(files, pool));
  for (const std::string& digest : digests) total.add(digest);
  return "sampled-" + total.digest();
}

}  // namespace laurel::model
