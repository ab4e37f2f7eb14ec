// Where the time of a pass goes: while an OpClock lives, every op counts its calls, its wall time
// and what it was asked to do.
//
// Thread safety: ops may run on several threads at once while a clock lives; their seconds then add
// up. Construct, read and destroy it while no op runs.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace laurel::kernels {

// What a call was asked to do.
struct OpWork {
  // Of products: multiplications and additions, two for a multiply-add; pairs of tokens that do not
  // see each other do not count. Elementwise operations count none.
  double flops = 0;
  double bytes = 0;  // of operands and results, each once
  // [in, out] of a linear layer; calls of different shapes are counted apart.
  std::int64_t in_features = 0;
  std::int64_t out_features = 0;
};

// An elementwise pass over `elements` floats, each moved `times` times.
inline OpWork moved(std::int64_t elements, int times) {
  return {.bytes = 4.0 * times * static_cast<double>(elements)};
}

struct OpCount {
  std::string name;  // "linear 576 → 1536", "forest_attention"
  std::int64_t calls = 0;
  double seconds = 0;
  double flops = 0;
  double bytes = 0;
};

class OpClock {
 public:
  OpClock();  // throws InternalError if there is one already
  ~OpClock();
  OpClock(const OpClock&) = delete;
  OpClock& operator=(const OpClock&) = delete;

  // In the order of first calls.
  const std::vector<OpCount>& counts() const { return counts_; }

 private:
  friend class OpTimer;
  void add(const char* name, const OpWork& work, double seconds);

  std::mutex mutex_;
  std::vector<OpCount> counts_;
};

// One call of an op, from construction to destruction. Calls within another one are part of it.
class OpTimer {
 public:
  // `describe`: () -> OpWork, asked only while a clock lives.
  template <typename Describe>
  OpTimer(const char* name, const Describe& describe) : name_(name) {
    if (clock_.load(std::memory_order_relaxed) == nullptr || depth_ > 0) return;
    work_ = describe();
    start();
  }
  ~OpTimer() {
    if (is_running_) stop();
  }
  OpTimer(const OpTimer&) = delete;
  OpTimer& operator=(const OpTimer&) = delete;

 private:
  friend class OpClock;
  using Clock = std::chrono::steady_clock;
  void start();
  void stop();

  static std::atomic<OpClock*> clock_;
  static thread_local int depth_;  // timers that run on this thread

  const char* name_;
  bool is_running_ = false;
  OpWork work_;
  Clock::time_point started_;
};

}  // namespace laurel::kernels
