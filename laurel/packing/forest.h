// The prefix forest: token sequences laid out so that no token is computed twice and none is
// padding.
//
// A segment is a run of tokens with a parent (or none); a sequence is the path from a root to a
// score point. All segments of a pack lie back to back in one [num_tokens, hidden] matrix. Integers
// only: no tensors here.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace laurel::packing {

// A sequence to score: its tokens up to and including the scored one. The first token has position
// `first_position` (1 where a masked first BOS was removed, else 0). Sequences with different first
// positions never share.
struct Sequence {
  std::span<const std::int32_t> tokens;  // not empty
  std::int32_t first_position = 0;
};

struct Segment {
  std::int32_t parent = -1;     // index in Pack::segments, smaller than this one's; -1 for a root
  std::int64_t start = 0;       // position of its first token
  std::int64_t row_offset = 0;  // first row in the pack
  std::int64_t num_rows = 0;    // > 0
};

// Where a sequence ends: token `index_in_segment` of `segment`.
struct ScorePoint {
  std::int64_t sequence = 0;  // index in plan_packs' input
  std::int32_t segment = 0;
  std::int64_t index_in_segment = 0;
};

struct Pack {
  std::vector<Segment> segments;         // parents first; rows back to back in this order
  std::vector<std::int32_t> tokens;      // [num_rows] token id of every row
  std::vector<std::int32_t> positions;   // [num_rows]
  std::vector<ScorePoint> score_points;  // in row order; several may share a row
};

// With separate ends, the tokens at the end of a sequence that share rows with equal sequences
// only.
inline constexpr std::int64_t kEndTokens = 2;

struct PlanOptions {
  std::int64_t max_tokens = 4096;  // rows per pack; a longer sequence is a pack of its own
  bool share_prefixes = true;      // false: every sequence is a root of its own
  // The rows of a sequence's last kEndTokens belong to no sequence that goes on differently, or
  // ends elsewhere.
  bool separate_ends = false;
};

// Packs that contain every sequence exactly once. Deterministic. Sequences are grouped by common
// prefix, so the packs' order is not the input's; results find their way back through
// ScorePoint::sequence.
std::vector<Pack> plan_packs(std::span<const Sequence> sequences, const PlanOptions& options = {});

// Whether it is so: every score point's row is the last of a segment without children that has the
// sequence's last kEndTokens, or all that there are.
bool has_separate_ends(const Pack& pack);

// Counts for reports: tokens before sharing, and rows after it.
struct PlanStatistics {
  std::int64_t sequence_tokens = 0;
  std::int64_t physical_tokens = 0;
  std::int64_t attention_pairs = 0;  // (query, key) pairs of one head of one layer
};
PlanStatistics statistics(std::span<const Sequence> sequences, std::span<const Pack> packs);

}  // namespace laurel::packing
