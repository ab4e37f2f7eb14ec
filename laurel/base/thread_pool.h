// Threads with a static partition of work, so that what a thread does depends only on the range and
// the number of threads, never on timing.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace laurel {

// A fixed set of threads. One parallel_for at a time: calls from several threads wait for one
// another; a call from inside a task runs inline on that thread.
class ThreadPool {
 public:
  // num_threads counts the calling thread; 0 means one per usable core (respects CPU affinity).
  // Throws IoError when the system refuses that many.
  explicit ThreadPool(int num_threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int num_threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(begin, end, thread) on disjoint ranges that cover [0, count): at most one per
  // thread, cut at multiples of `grain`. Thread 0 is the caller. Returns when all are done;
  // rethrows the exception of the lowest thread.
  using RangeBody = std::function<void(std::int64_t begin, std::int64_t end, int thread)>;
  void parallel_for(std::int64_t count, std::int64_t grain, const RangeBody& body);

  // Calls body(thread) once on every thread. For loops that divide their own work.
  void run(const std::function<void(int thread)>& body);

 private:
  void worker_loop(int thread);
  // Until done() holds: awake for a short while, then asleep. done() reads atomics only.
  template <typename Done>
  void wait(std::condition_variable& condition, const Done& done);
  void run_alone(const std::function<void()>& body);
  void stop();

  std::vector<std::thread> workers_;
  std::mutex caller_mutex_;  // one run() at a time
  // Threads wait awake for a short while before they sleep on the conditions: work comes in quick
  // succession, and a sleeper that is woken may find itself on the core of the one that woke it.
  bool waits_awake_ = false;
  std::mutex mutex_;  // of the conditions
  std::condition_variable start_;
  std::condition_variable done_;
  std::atomic<std::uint64_t> generation_ = 0;  // counts the work given out; publishes body_
  std::atomic<int> pending_ = 0;               // workers still at it; publishes errors_
  std::atomic<bool> stopping_ = false;
  const std::function<void(int)>* body_ = nullptr;
  std::vector<std::exception_ptr> errors_;
};

// Cores this process may use.
int num_usable_cores();

}  // namespace laurel
