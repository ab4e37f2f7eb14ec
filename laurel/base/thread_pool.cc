#include "laurel/base/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <system_error>
#include <utility>

#include "laurel/base/error.h"

namespace laurel {
namespace {

// Longer than the gap between two operations of a forward pass, shorter than anyone would notice.
constexpr std::chrono::microseconds kAwake{200};
constexpr int kPausesPerLook = 32;

thread_local const ThreadPool* current_pool = nullptr;

// Tells the core that this is a waiting loop.
inline void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

// Marks the calling thread as inside a task of the pool.
class PoolScope {
 public:
  explicit PoolScope(const ThreadPool* pool) : outer_(std::exchange(current_pool, pool)) {}
  ~PoolScope() { current_pool = outer_; }
  PoolScope(const PoolScope&) = delete;
  PoolScope& operator=(const PoolScope&) = delete;

 private:
  const ThreadPool* outer_;
};

}  // namespace

int num_usable_cores() {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

ThreadPool::ThreadPool(int num_threads) {
  const int count = num_threads > 0 ? num_threads : num_usable_cores();
  waits_awake_ = count <= num_usable_cores();
  errors_.resize(static_cast<std::size_t>(count));
  workers_.reserve(static_cast<std::size_t>(count - 1));
  try {
    for (int thread = 1; thread < count; ++thread) {
      workers_.emplace_back([this, thread] { worker_loop(thread); });
    }
  } catch (const std::system_error& error) {
    stop();
    throw IoError("thread pool: cannot start {} threads: {}", count, error.code().message());
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  start_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

template <typename Done>
void ThreadPool::wait(std::condition_variable& condition, const Done& done) {
  if (waits_awake_) {
    const auto deadline = std::chrono::steady_clock::now() + kAwake;
    do {
      for (int i = 0; i < kPausesPerLook; ++i) {
        if (done()) return;
        pause();
      }
    } while (std::chrono::steady_clock::now() < deadline);
  }
  std::unique_lock lock(mutex_);
  condition.wait(lock, done);
}

void ThreadPool::worker_loop(int thread) {
  current_pool = this;
  std::uint64_t seen = 0;
  while (true) {
    wait(start_, [&] { return stopping_.load() || generation_.load() != seen; });
    if (stopping_.load()) return;
    seen = generation_.load();
    try {
      (*body_)(thread);
    } catch (...) {
      errors_[static_cast<std::size_t>(thread)] = std::current_exception();
    }
    if (pending_.fetch_sub(1) == 1) {
      const std::lock_guard lock(mutex_);  // the caller is either awake or fully asleep
      done_.notify_one();
    }
  }
}

void ThreadPool::run(const std::function<void(int)>& body) {
  if (current_pool == this) {  // nested: this thread does every share in turn
    for (int thread = 0; thread < num_threads(); ++thread) body(thread);
    return;
  }
  const std::lock_guard caller_lock(caller_mutex_);
  body_ = &body;
  pending_ = static_cast<int>(workers_.size());
  {
    const std::lock_guard lock(mutex_);  // no worker is between looking and sleeping
    ++generation_;
  }
  start_.notify_all();
  try {
    const PoolScope scope(this);
    body(0);
  } catch (...) {
    errors_[0] = std::current_exception();
  }
  wait(done_, [&] { return pending_.load() == 0; });
  std::exception_ptr first;
  for (std::exception_ptr& error : errors_) {
    if (error && !first) first = error;
    error = nullptr;
  }
  if (first) std::rethrow_exception(first);
}

// Work for one thread needs no waking of the others, but keeps other callers out like all work:
// they may share what belongs to thread 0.
void ThreadPool::run_alone(const std::function<void()>& body) {
  if (current_pool == this) return body();
  const std::lock_guard caller_lock(caller_mutex_);
  const PoolScope scope(this);
  body();
}

void ThreadPool::parallel_for(std::int64_t count, std::int64_t grain, const RangeBody& body) {
  if (count <= 0) return;
  const std::int64_t step = std::max<std::int64_t>(1, grain);
  const std::int64_t num_grains = (count + step - 1) / step;
  const std::int64_t num_shares = std::min<std::int64_t>(num_grains, num_threads());
  if (num_shares == 1) {
    run_alone([&] { body(0, count, 0); });
    return;
  }
  run([&](int thread) {
    if (thread >= num_shares) return;
    const std::int64_t begin = num_grains * thread / num_shares * step;
    const std::int64_t end = std::min(count, num_grains * (thread + 1) / num_shares * step);
    if (begin < end) body(begin, end, thread);
  });
}

}  // namespace laurel
