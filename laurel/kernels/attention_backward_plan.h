// Cuts forest_attention_backward() into steps, and fixes the order in which they add to the
// gradients of keys.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "laurel/kernels/ops.h"
#include "laurel/kernels/partition.h"

namespace laurel::kernels {

// Consecutive keys of one segment: rows [row, row + num_keys) of k and v.
struct KeyTile {
  std::int64_t row = 0;
  std::int64_t num_keys = 0;
  std::int64_t position = 0;  // of the first
};

// A step comes to a tile, as the turn-th of all steps in their order. Only the step's rows in
// `rows` have the tile's segment on their path.
struct KeyVisit {
  std::int32_t tile = 0;
  std::int32_t turn = 0;
  Range rows;
};

// Query rows of one run, for one key/value head (the same for every one): stacked token by token,
// the heads of the group within, rows [begin, begin + num_rows) of this stack.
struct StackedRows {
  std::int64_t query_row = 0;  // of the run's first token
  std::int64_t position = 0;   // likewise
  std::int64_t begin = 0;
  std::int64_t num_rows = 0;
};

// Rows of a long run, or of short ones whose paths share keys; ascending by query row.
struct GradientStep {
  std::vector<StackedRows> parts;
  std::int64_t num_rows = 0;
  std::vector<KeyVisit> visits;  // along every row's path ascending by position
};

struct GradientPlan {
  std::vector<KeyTile> tiles;
  std::vector<GradientStep> steps;  // ascending by query row
  std::int64_t cost = 0;            // multiply-adds of all, for one key/value head
};

// Deterministic; does not depend on threads.
GradientPlan plan_attention_backward(std::span<const AttentionSegment> segments,
                                     std::span<const QueryRun> runs, const AttentionShape& shape);

// Most keys of a tile and most rows of a step.
constexpr std::int64_t kMaxTileKeys = 64;
constexpr std::int64_t kMaxStepRows = 384;

}  // namespace laurel::kernels
