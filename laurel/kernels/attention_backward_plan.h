// Cuts forest_attention_backward() into steps, and fixes the order in which they add to the
// gradients of keys.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "laurel/kernels/ops.h"

namespace laurel::kernels {

// Consecutive keys of one segment: rows [row, row + num_keys) of k and v.
struct KeyTile {
  std::int64_t row = 0;
  std::int64_t num_keys = 0;
  std::int64_t position = 0;  // of the first
};

// A step comes to a tile, as the turn-th of all steps in their order.
struct KeyVisit {
  std::int32_t tile = 0;
  std::int32_t turn = 0;
};

// The query rows that a step does for one key/value head: a run's queries stacked, token by token
// the heads of the group, rows [begin, begin + num_rows) of these. The same for every key/value
// head.
struct GradientStep {
  QueryRun run;
  std::int64_t start = 0;  // position of the run's segment
  std::int64_t begin = 0;
  std::int64_t num_rows = 0;
  std::vector<KeyVisit> visits;  // ascending by position
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
