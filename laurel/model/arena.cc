#include "laurel/model/arena.h"

#include <algorithm>

namespace laurel::model {
namespace {

constexpr std::int64_t kAlignedFloats = 16;
constexpr std::int64_t kFirstChunk = 1 << 18;  // floats: 1 MiB

std::int64_t rounded_up(std::int64_t count) {
  return (count + kAlignedFloats - 1) / kAlignedFloats * kAlignedFloats;
}

}  // namespace

kernels::Matrix Arena::matrix(std::int64_t rows, std::int64_t cols) {
  const std::int64_t size = rounded_up(rows * cols);
  while (position_.chunk < chunks_.size() &&
         chunks_[position_.chunk].size - position_.used < size) {
    position_ = {position_.chunk + 1, 0};
  }
  if (position_.chunk == chunks_.size()) add_chunk(size);
  float* data = chunks_[position_.chunk].memory.get() + position_.used;
  position_.used += size;
  return {data, rows, cols, cols};
}

// Chunks double the capacity, so that few are needed; what is not used of one is never touched.
void Arena::add_chunk(std::int64_t min_size) {
  const std::int64_t size = std::max({min_size, capacity_, kFirstChunk});
  chunks_.push_back({make_aligned_array<float, kAlignment>(static_cast<std::size_t>(size)), size});
  capacity_ += size;
}

}  // namespace laurel::model
