#include "laurel/kernels/op_clock.h"

#include <fmt/format.h>

#include <algorithm>

#include "laurel/base/error.h"

namespace laurel::kernels {

std::atomic<OpClock*> OpTimer::clock_ = nullptr;
thread_local int OpTimer::depth_ = 0;

OpClock::OpClock() {
  OpClock* none = nullptr;
  if (!OpTimer::clock_.compare_exchange_strong(none, this)) {
    throw InternalError("op clock: one is running already");
  }
}

OpClock::~OpClock() { OpTimer::clock_.store(nullptr); }

void OpClock::add(const char* op, const OpWork& work, double seconds) {
  const std::string name = work.in_features == 0
                               ? std::string(op)
                               : fmt::format("{} {} → {}", op, work.in_features, work.out_features);
  const std::lock_guard lock(mutex_);
  auto found = std::find_if(counts_.begin(), counts_.end(),
                            [&](const OpCount& count) { return count.name == name; });
  if (found == counts_.end()) found = counts_.insert(counts_.end(), OpCount{.name = name});
  ++found->calls;
  found->seconds += seconds;
  found->flops += work.flops;
  found->bytes += work.bytes;
}

void OpTimer::start() {
  is_running_ = true;
  ++depth_;
  started_ = Clock::now();
}

void OpTimer::stop() {
  const double seconds = std::chrono::duration<double>(Clock::now() - started_).count();
  --depth_;
  if (OpClock* clock = clock_.load()) clock->add(name_, work_, seconds);
}

}  // namespace laurel::kernels
