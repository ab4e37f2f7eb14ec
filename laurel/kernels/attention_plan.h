// Cuts the queries of forest_attention() into pieces of work and deals them to threads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "laurel/kernels/ops.h"
#include "laurel/kernels/partition.h"

namespace laurel::kernels {

// Keys are visited in blocks that begin at multiples of this position.
constexpr std::int64_t kKeyBlock = 64;

// Consecutive tokens of one run, for all query heads of one key/value head.
struct AttentionPiece {
  std::int32_t segment = 0;
  std::int64_t first = 0;  // token within the segment
  std::int64_t num_tokens = 0;
  std::int64_t query_row = 0;
  std::int64_t kv_head = 0;
  std::int64_t cost = 0;
};

// The pieces of every thread, of about the same total cost. Deterministic.
std::vector<std::vector<AttentionPiece>> plan_attention(std::span<const AttentionSegment> segments,
                                                        std::span<const QueryRun> runs,
                                                        const AttentionShape& shape,
                                                        std::int64_t num_threads);

// Pairs of a query and a key that it sees, per head.
double visible_pairs(std::span<const AttentionSegment> segments, std::span<const QueryRun> runs,
                     std::int64_t window);

// Keys at positions [begin, end) are rows row, row + 1, … of k and v.
struct KeyRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t row = 0;
};

// The keys of `segment` and its ancestors up to its token `last`, ascending by position. Reuses the
// vector.
void find_path(std::span<const AttentionSegment> segments, std::int32_t segment, std::int64_t last,
               std::vector<KeyRange>& path);

}  // namespace laurel::kernels
