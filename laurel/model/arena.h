// Working memory of a pass: matrices are carved from large chunks that are kept and used again, so
// that a training step touches no fresh pages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "laurel/base/aligned_array.h"
#include "laurel/kernels/ops.h"

namespace laurel::model {

// Not thread-safe. Matrices live until they are rewound past, or the arena ends.
class Arena {
 public:
  // What has been handed out; see rewind().
  struct Mark {
    std::size_t chunk = 0;
    std::int64_t used = 0;
  };

  // [rows, cols], contiguous, 64-byte aligned, not initialized.
  kernels::Matrix matrix(std::int64_t rows, std::int64_t cols);

  Mark mark() const { return position_; }
  // Takes back every matrix handed out since the mark. Memory stays with the arena.
  void rewind(Mark mark) { position_ = mark; }

 private:
  static constexpr std::size_t kAlignment = 64;
  struct Chunk {
    AlignedArray<float, kAlignment> memory;
    std::int64_t size = 0;  // floats
  };
  void add_chunk(std::int64_t min_size);

  std::vector<Chunk> chunks_;
  std::int64_t capacity_ = 0;  // floats of all chunks
  Mark position_;
};

// Takes back at the end of a block of code what was handed out in it.
class ArenaScope {
 public:
  explicit ArenaScope(Arena& arena) : arena_(arena), mark_(arena.mark()) {}
  ~ArenaScope() { arena_.rewind(mark_); }
  ArenaScope(const ArenaScope&) = delete;
  ArenaScope& operator=(const ArenaScope&) = delete;

 private:
  Arena& arena_;
  Arena::Mark mark_;
};

}  // namespace laurel::model
