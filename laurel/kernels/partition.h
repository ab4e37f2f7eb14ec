// How work is cut: into blocks of even size, and over threads. No result depends on it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "laurel/base/thread_pool.h"

namespace laurel::kernels {

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
constexpr std::int64_t round_up(std::int64_t a, std::int64_t b) { return ceil_div(a, b) * b; }

struct Range {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t size() const { return end - begin; }
};

// Part `index` of `parts` of [0, count), sizes differing by at most one.
constexpr Range part_of(std::int64_t count, std::int64_t parts, std::int64_t index) {
  return {count * index / parts, count * (index + 1) / parts};
}

// A grid of row parts × column parts for at most num_threads threads.
struct Grid {
  std::int64_t row_parts = 1;
  std::int64_t col_parts = 1;
};

// What a product costs, and from what on it pays to wake a thread, in multiply-adds.
struct PartCost {
  std::int64_t work = 0;
  std::int64_t min_per_thread = 1 << 20;
  // Dividing columns must save this share: it takes rows from the thread that has just written
  // them.
  double min_column_saving = 0;
};

// The grid whose largest part costs least. A part of r rows and c column units costs c · (r +
// unit_overhead): every thread prepares the columns that it uses.
inline Grid best_grid(std::int64_t rows, std::int64_t col_units, std::int64_t unit_overhead,
                      std::int64_t num_threads, double min_column_saving = 0) {
  Grid best;
  double best_cost = std::numeric_limits<double>::infinity();
  for (std::int64_t cols = 1; cols <= std::min(num_threads, col_units); ++cols) {
    const std::int64_t row_parts = std::clamp<std::int64_t>(num_threads / cols, 1, rows);
    const auto cost = static_cast<double>(ceil_div(col_units, cols) *
                                          (ceil_div(rows, row_parts) + unit_overhead));
    if (cost < best_cost * (1 - min_column_saving)) {
      best_cost = cost;
      best = {row_parts, cols};
    }
  }
  return best;
}

// Calls part(rows, column units), both ranges, for every part of a grid over as many threads as the
// cost is worth.
template <typename Part>
void for_each_part(std::int64_t rows, std::int64_t col_units, std::int64_t unit_overhead,
                   const PartCost& cost, ThreadPool& pool, const Part& part) {
  const std::int64_t num_threads =
      std::clamp<std::int64_t>(cost.work / cost.min_per_thread, 1, pool.num_threads());
  const Grid grid = best_grid(rows, col_units, unit_overhead, num_threads, cost.min_column_saving);
  pool.parallel_for(grid.row_parts * grid.col_parts, 1,
                    [&](std::int64_t begin, std::int64_t end, int) {
                      for (std::int64_t i = begin; i < end; ++i) {
                        part(part_of(rows, grid.row_parts, i / grid.col_parts),
                             part_of(col_units, grid.col_parts, i % grid.col_parts));
                      }
                    });
}

}  // namespace laurel::kernels
