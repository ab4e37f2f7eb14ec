#include "laurel/model/block_reader.h"

#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <system_error>
#include <utility>

#include "laurel/base/error.h"

namespace laurel::model {
namespace {

using Clock = std::chrono::steady_clock;

// What one system call reads. Large enough for any disk, small enough to stop soon.
constexpr std::uint64_t kPieceBytes = std::uint64_t{8} << 20;
// Ranges of a file that lie this close are read as one.
constexpr std::uint64_t kMaxGap = std::uint64_t{256} << 10;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

BlockReader::BlockReader(const std::vector<std::filesystem::path>& files,
                         std::vector<std::vector<FileRange>> blocks) {
  for (const std::filesystem::path& file : files) {
    files_.push_back(std::make_unique<RangeReader>(file));
  }
  for (const std::vector<FileRange>& ranges : blocks) blocks_.push_back(plan_block(ranges));
  seconds_.resize(blocks_.size());
  for (const Block& block : blocks_) {
    if (block.windows.empty()) continue;
    const Window& last = block.windows.back();
    buffer_bytes_ = std::max<std::size_t>(
        buffer_bytes_, last.target + static_cast<std::size_t>(aligned_up(last.end) - last.begin));
  }
}

BlockReader::~BlockReader() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

// Windows cover the ranges in the order of the files, so that the disk is read forward.
BlockReader::Block BlockReader::plan_block(const std::vector<FileRange>& ranges) const {
  std::vector<std::size_t> order(ranges.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(ranges[a].file, ranges[a].offset) <
           std::pair(ranges[b].file, ranges[b].offset);
  });
  Block block;
  block.places.resize(ranges.size());
  for (const std::size_t i : order) {
    const FileRange& range = ranges[i];
    const std::uint64_t end = range.offset + range.size;
    Window* last = block.windows.empty() ? nullptr : &block.windows.back();
    if (last == nullptr || last->file != range.file || range.offset > last->end + kMaxGap) {
      const std::size_t target =
          last == nullptr
              ? 0
              : last->target + static_cast<std::size_t>(aligned_up(last->end) - last->begin);
      block.windows.push_back({range.file, aligned_down(range.offset), end, target});
      last = &block.windows.back();
    }
    last->end = std::max(last->end, end);
    block.places[i] = last->target + static_cast<std::size_t>(range.offset - last->begin);
  }
  return block;
}

void BlockReader::prefetch() {
  const std::lock_guard lock(mutex_);
  start();
}

void BlockReader::start() {
  if (thread_.joinable()) return;
  try {
    thread_ = std::thread([this] { read_loop(); });
  } catch (const std::system_error& error) {
    throw IoError("cannot start a thread that reads weights: {}", error.code().message());
  }
}

BlockReader::Slot* BlockReader::find(State state, std::int64_t block) {
  const auto found = std::find_if(slots_.begin(), slots_.end(), [&](const Slot& slot) {
    return slot.state == state && slot.block == block;
  });
  return found == slots_.end() ? nullptr : &*found;
}

BlockReader::Slot* BlockReader::find_empty() {
  const auto found = std::find_if(slots_.begin(), slots_.end(),
                                  [](const Slot& slot) { return slot.state == State::kEmpty; });
  return found == slots_.end() ? nullptr : &*found;
}

void BlockReader::restart_at(std::int64_t index) {
  for (Slot& slot : slots_) {
    if (slot.state == State::kReady) slot.state = State::kEmpty;
  }
  next_ = index;
  ++num_jumps_;
}

std::span<const std::byte* const> BlockReader::block(std::int64_t index) {
  const Clock::time_point begin = Clock::now();
  std::unique_lock lock(mutex_);
  for (Slot& slot : slots_) {
    if (slot.state == State::kInUse) slot.state = State::kEmpty;
  }
  if (find(State::kReady, index) == nullptr && find(State::kFilling, index) == nullptr &&
      next_ != index) {
    restart_at(index);
  }
  start();
  changed_.notify_all();
  changed_.wait(lock, [&] { return error_ || find(State::kReady, index) != nullptr; });
  statistics_.wait_seconds += seconds_since(begin);
  if (error_) std::rethrow_exception(error_);
  Slot& slot = *find(State::kReady, index);
  slot.state = State::kInUse;
  places_.clear();
  for (const std::size_t place : blocks_[static_cast<std::size_t>(index)].places) {
    places_.push_back(slot.memory.get() + place);
  }
  return places_;
}

void BlockReader::read_loop() {
  std::unique_lock lock(mutex_);
  while (!error_) {
    changed_.wait(lock, [&] { return stopping_ || find_empty() != nullptr; });
    if (stopping_) return;
    Slot& slot = *find_empty();
    slot.state = State::kFilling;
    slot.block = std::exchange(next_, (next_ + 1) % static_cast<std::int64_t>(blocks_.size()));
    const std::int64_t jumps = num_jumps_;
    lock.unlock();
    const Clock::time_point begin = Clock::now();
    std::exception_ptr error;
    try {
      fill(slot, jumps);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    const double seconds = seconds_since(begin);
    statistics_.read_seconds += seconds;
    error_ = error;
    const bool wanted = !error_ && is_wanted(jumps);
    slot.state = wanted ? State::kReady : State::kEmpty;
    if (wanted) {
      ++num_read_;
      seconds_[static_cast<std::size_t>(slot.block)] = seconds;
    }
    changed_.notify_all();
  }
}

void BlockReader::fill(Slot& slot, std::int64_t jumps) {
  if (slot.memory == nullptr) {
    slot.memory = make_aligned_array<std::byte, kBufferAlignment>(buffer_bytes_);
    ::madvise(slot.memory.get(), buffer_bytes_, MADV_HUGEPAGE);  // a hint
  }
  for (const Window& window : blocks_[static_cast<std::size_t>(slot.block)].windows) {
    for (std::uint64_t at = window.begin; at < window.end; at += kPieceBytes) {
      const auto needed = static_cast<std::size_t>(std::min(kPieceBytes, window.end - at));
      const std::span<std::byte> target(
          slot.memory.get() + window.target + static_cast<std::size_t>(at - window.begin),
          static_cast<std::size_t>(aligned_up(needed)));
      const bool cached = files_[window.file]->read_around_cache(at, target, needed);
      const std::lock_guard lock(mutex_);
      const auto size = static_cast<std::int64_t>(target.size());
      statistics_.bytes += size;
      if (cached) statistics_.cached_bytes += size;
      if (!is_wanted(jumps)) return;
    }
  }
}

void BlockReader::read(const FileRange& range, std::byte* target) const {
  files_[range.file]->read(range.offset, {target, static_cast<std::size_t>(range.size)});
}

double BlockReader::slowest_block() const {
  const std::lock_guard lock(mutex_);
  return num_read_ < 2 ? 0 : *std::max_element(seconds_.begin(), seconds_.end());
}

ReadStatistics BlockReader::statistics() const {
  const std::lock_guard lock(mutex_);
  return statistics_;
}

}  // namespace laurel::model
