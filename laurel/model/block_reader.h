// Reads blocks of files ahead of their use, round and round: a layer's weights while the layer
// before computes.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "laurel/base/aligned_array.h"
#include "laurel/base/range_reader.h"

namespace laurel::model {

struct FileRange {
  std::size_t file = 0;  // index into the reader's files
  std::uint64_t offset = 0;
  std::uint64_t size = 0;  // bytes
};

struct ReadStatistics {
  std::int64_t bytes = 0;         // read so far, rounded up to whole pages
  std::int64_t cached_bytes = 0;  // of these, from the page cache
  double read_seconds = 0;        // the reading thread at work
  double wait_seconds = 0;        // callers of block() waiting for it
};

// Two buffers, and a thread that reads the next block into one while the caller works with the
// other. block() is for one thread at a time; statistics() and slowest_block() are for any.
class BlockReader {
 public:
  // Opens the files (throws IoError); reading begins with the first call of prefetch() or block().
  BlockReader(const std::vector<std::filesystem::path>& files,
              std::vector<std::vector<FileRange>> blocks);
  ~BlockReader();
  BlockReader(const BlockReader&) = delete;
  BlockReader& operator=(const BlockReader&) = delete;

  // Starts reading at block 0 unless something was read already.
  void prefetch();

  // Where each range of block `index` begins in memory, at its offset in the file modulo
  // kReadAlignment; valid until the next call. The block after it, or after the last block the
  // first, is being read from then on. Throws IoError if reading failed, now and ever after.
  std::span<const std::byte* const> block(std::int64_t index);

  // Bytes of small ranges, through the page cache.
  void read(const FileRange& range, std::byte* target) const;

  // Seconds that the slowest block took when it was last read; 0 before two were.
  double slowest_block() const;
  ReadStatistics statistics() const;

 private:
  // A run of pages that is read at once; `target` is its place in the buffer.
  struct Window {
    std::size_t file = 0;
    std::uint64_t begin = 0, end = 0;  // file offsets; begin is a multiple of kReadAlignment
    std::size_t target = 0;
  };
  struct Block {
    std::vector<Window> windows;
    std::vector<std::size_t> places;  // [ranges] offset in the buffer
  };
  static constexpr std::size_t kBufferAlignment = std::size_t{2} << 20;  // a huge page
  enum class State { kEmpty, kFilling, kReady, kInUse };
  struct Slot {
    State state = State::kEmpty;
    std::int64_t block = -1;
    AlignedArray<std::byte, kBufferAlignment> memory;
  };

  Block plan_block(const std::vector<FileRange>& ranges) const;
  void start();  // these with mutex_ held
  Slot* find(State state, std::int64_t block);
  Slot* find_empty();
  void restart_at(std::int64_t index);
  bool is_wanted(std::int64_t jumps) const { return !stopping_ && jumps == num_jumps_; }

  void read_loop();
  void fill(Slot& slot, std::int64_t jumps);  // stops early when it is not wanted any more

  std::vector<std::unique_ptr<RangeReader>> files_;
  std::vector<Block> blocks_;
  std::size_t buffer_bytes_ = 0;
  std::vector<const std::byte*> places_;  // of the block in use

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::array<Slot, 2> slots_;
  std::int64_t next_ = 0;       // block to read next
  std::int64_t num_jumps_ = 0;  // counts the restarts; what was begun before one is dropped
  bool stopping_ = false;
  std::exception_ptr error_;
  std::int64_t num_read_ = 0;
  std::vector<double> seconds_;  // [blocks] of the last reading
  ReadStatistics statistics_;
  std::thread thread_;
};

}  // namespace laurel::model
