// Loops over the rows or the columns of a matrix, on several threads if there is enough to do.
#pragma once

#include <algorithm>
#include <cstdint>

#include "laurel/base/thread_pool.h"
#include "laurel/kernels/partition.h"

namespace laurel::kernels {

// Waking threads costs more than this many elements.
constexpr std::int64_t kMinElementsPerThread = 16 * 1024;

// Calls body(r) for every row.
template <typename Body>
void for_rows(std::int64_t rows, std::int64_t cols, ThreadPool& pool, const Body& body) {
  const std::int64_t grain = ceil_div(kMinElementsPerThread, std::max<std::int64_t>(1, cols));
  pool.parallel_for(rows, grain, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t r = begin; r < end; ++r) body(r);
  });
}

// Calls body(columns) for disjoint ranges that cover all columns: for sums over rows, which threads
// must not divide.
template <typename Body>
void for_columns(std::int64_t rows, std::int64_t cols, ThreadPool& pool, const Body& body) {
  constexpr std::int64_t kLineFloats = 16;
  const std::int64_t needed = ceil_div(kMinElementsPerThread, std::max<std::int64_t>(1, rows));
  pool.parallel_for(cols, round_up(needed, kLineFloats),
                    [&](std::int64_t begin, std::int64_t end, int) {
                      body(Range{begin, end});
                    });
}

}  // namespace laurel::kernels
