// Random prefix forests, shapes and operands for the tests of attention.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "laurel/kernels/ops.h"
#include "laurel/kernels/test_data.h"

namespace laurel::kernels::testing {

struct Forest {
  std::vector<AttentionSegment> segments;
  std::int64_t num_rows = 0;

  // Appends a segment; `start` is used for roots only.
  void add(std::int32_t parent, std::int64_t rows, std::int64_t start = 0) {
    if (parent >= 0) {
      const AttentionSegment& p = segments[static_cast<std::size_t>(parent)];
      start = p.start + p.num_rows;
    }
    segments.push_back({num_rows, rows, start, parent});
    num_rows += rows;
  }
  // One run per segment.
  std::vector<QueryRun> whole_runs() const {
    std::vector<QueryRun> runs;
    for (std::size_t s = 0; s < segments.size(); ++s) {
      runs.push_back(
          {static_cast<std::int32_t>(s), 0, segments[s].num_rows, segments[s].row_offset});
    }
    return runs;
  }
};

inline Forest random_forest(std::mt19937& rng, int max_segments = 8, int max_rows = 100) {
  Forest forest;
  const int count = std::uniform_int_distribution<int>(1, max_segments)(rng);
  for (int i = 0; i < count; ++i) {
    const auto parent = std::uniform_int_distribution<std::int32_t>(-1, i - 1)(rng);
    forest.add(parent, std::uniform_int_distribution<std::int64_t>(1, max_rows)(rng),
               std::uniform_int_distribution<std::int64_t>(0, 70)(rng));
  }
  return forest;
}

inline AttentionShape shape_of(std::int64_t heads, std::int64_t kv_heads, std::int64_t dim,
                               std::int64_t window = 0, float soft_cap = 0) {
  return {heads, kv_heads, dim, 1.0f / std::sqrt(static_cast<float>(dim)), window, soft_cap};
}

inline const AttentionShape kShapes[] = {
    shape_of(9, 3, 64),           shape_of(4, 4, 16),
    shape_of(8, 1, 20),           shape_of(2, 1, 7, 5),
    shape_of(6, 2, 64, 64),       shape_of(4, 2, 33, 70, 20.0f),
    shape_of(1, 1, 128, 0, 5.0f), shape_of(20, 1, 32, 1),
    shape_of(2, 2, 400),          shape_of(1, 1, 1)};

struct Operands {
  Grid2 q, k, v;
  Operands(std::int64_t query_rows, std::int64_t rows, const AttentionShape& shape,
           std::mt19937& rng)
      : q(Grid2::random(query_rows, shape.num_heads * shape.head_dim, 3, rng, 2)),
        k(Grid2::random(rows, shape.num_kv_heads * shape.head_dim, 1, rng, 2)),
        v(Grid2::random(rows, shape.num_kv_heads * shape.head_dim, 2, rng)) {}
};

}  // namespace laurel::kernels::testing
