#include "laurel/base/thread_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <tuple>

#include "laurel/base/error.h"

namespace laurel {
namespace {

using Range = std::tuple<std::int64_t, std::int64_t, int>;

std::vector<Range> ranges_of(ThreadPool& pool, std::int64_t count, std::int64_t grain) {
  std::mutex mutex;
  std::vector<Range> ranges;
  pool.parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end, int thread) {
    const std::lock_guard lock(mutex);
    ranges.emplace_back(begin, end, thread);
  });
  std::sort(ranges.begin(), ranges.end());
  return ranges;
}

TEST(ThreadPool, RangesCoverAllOnceAndAreCutAtGrains) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    ASSERT_EQ(pool.num_threads(), threads);
    for (const std::int64_t count : {0, 1, 2, 7, 64, 1000}) {
      for (const std::int64_t grain : {0, 1, 3, 16, 5000}) {
        std::int64_t next = 0;
        std::vector<bool> used(static_cast<std::size_t>(threads));
        for (const auto& [begin, end, thread] : ranges_of(pool, count, grain)) {
          EXPECT_EQ(begin, next);
          EXPECT_LT(begin, end);
          EXPECT_EQ(begin % std::max<std::int64_t>(1, grain), 0);
          EXPECT_FALSE(used.at(static_cast<std::size_t>(thread))) << "a thread got two ranges";
          used[static_cast<std::size_t>(thread)] = true;
          next = end;
        }
        EXPECT_EQ(next, count) << threads << " threads, grain " << grain;
      }
    }
  }
}

TEST(ThreadPool, ThePartitionDependsOnNothingElse) {
  ThreadPool pool(4);
  const std::vector<Range> first = ranges_of(pool, 1003, 8);
  EXPECT_EQ(first.size(), 4u);
  for (int repeat = 0; repeat < 50; ++repeat) EXPECT_EQ(ranges_of(pool, 1003, 8), first);
}

TEST(ThreadPool, RunVisitsEveryThreadOnce) {
  ThreadPool pool(3);
  std::vector<std::atomic<int>> visits(3);
  for (int repeat = 0; repeat < 100; ++repeat) {
    pool.run([&](int thread) { ++visits[static_cast<std::size_t>(thread)]; });
  }
  for (const auto& count : visits) EXPECT_EQ(count, 100);
}

TEST(ThreadPool, NestedCallsRunInline) {
  ThreadPool pool(2);
  std::atomic<std::int64_t> sum = 0;
  pool.parallel_for(8, 1, [&](std::int64_t begin, std::int64_t end, int) {
    const auto outer = std::this_thread::get_id();
    for (std::int64_t i = begin; i < end; ++i) {
      pool.parallel_for(10, 1, [&](std::int64_t first, std::int64_t last, int) {
        EXPECT_EQ(std::this_thread::get_id(), outer);
        sum += last - first;
      });
    }
  });
  EXPECT_EQ(sum, 80);
  pool.parallel_for(1, 1, [&](std::int64_t, std::int64_t, int) {  // also inside work for one thread
    pool.parallel_for(10, 1,
                      [&](std::int64_t first, std::int64_t last, int) { sum += last - first; });
  });
  EXPECT_EQ(sum, 90);
}

// Callers share what belongs to a thread number, so their loops must not overlap, whatever their
// size.
TEST(ThreadPool, CallersWaitForOneAnother) {
  ThreadPool pool(2);
  std::atomic<int> inside = 0;
  std::atomic<int> most = 0;
  int owned_by_thread_0 = 0;  // not atomic: the thread sanitizer watches it
  std::vector<std::thread> callers;
  for (const std::int64_t count : {1, 1, 2, 40}) {
    callers.emplace_back([&, count] {
      for (int repeat = 0; repeat < 200; ++repeat) {
        pool.parallel_for(count, 1, [&](std::int64_t, std::int64_t, int thread) {
          if (thread != 0) return;
          const int now = ++inside;
          if (now > most) most = now;
          ++owned_by_thread_0;
          std::this_thread::yield();
          --inside;
        });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(most, 1);
  EXPECT_EQ(owned_by_thread_0, 800);
}

TEST(ThreadPool, RethrowsTheErrorOfTheLowestThreadAndGoesOn) {
  ThreadPool pool(3);
  for (int repeat = 0; repeat < 20; ++repeat) {
    try {
      pool.run([](int thread) {
        if (thread > 0) throw std::runtime_error(std::to_string(thread));
      });
      ADD_FAILURE() << "nothing was thrown";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "1");
    }
    EXPECT_THROW(pool.run([](int thread) {
      if (thread == 0) throw UserError("bad row");
    }),
                 UserError);
  }
  EXPECT_THROW(
      pool.parallel_for(1, 1, [](std::int64_t, std::int64_t, int) { throw UserError("x"); }),
      UserError);
  EXPECT_EQ(ranges_of(pool, 30, 1).size(), 3u);
}

TEST(ThreadPool, ZeroMeansEveryUsableCore) {
  EXPECT_GE(num_usable_cores(), 1);
  EXPECT_EQ(ThreadPool(0).num_threads(), num_usable_cores());
}

#ifndef LAUREL_SANITIZED  // sanitizers reserve far more address space than this
[[noreturn]] void ask_for_a_thousand_threads_in_little_memory() {
  rlimit limit;
  limit.rlim_cur = limit.rlim_max = std::size_t{256} << 20;
  ::setrlimit(RLIMIT_AS, &limit);
  try {
    ThreadPool pool(1000);
  } catch (const IoError& error) {
    std::fputs(error.what(), stderr);
    std::exit(error.exit_code());
  }
  std::exit(0);
}

TEST(ThreadPoolDeathTest, SaysSoWhenThereAreTooManyThreads) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(ask_for_a_thousand_threads_in_little_memory(), ::testing::ExitedWithCode(3),
              "thread pool: cannot start 1000 threads: ");
}
#endif

}  // namespace
}  // namespace laurel
