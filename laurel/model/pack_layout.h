// What the passes over a pack need to know of its forest.
#pragma once

#include <cstdint>
#include <vector>

#include "laurel/kernels/ops.h"
#include "laurel/model/config.h"
#include "laurel/model/rope.h"
#include "laurel/packing/forest.h"

namespace laurel::model {

// Decoders attend to the first tokens of a sequence from all others: with the scored ones, those on
// whose rows rewards depend most.
inline constexpr std::int64_t kFirstTokens = 4;

// The rows that a block computes queries, attention output and MLP for: all, or those that a score
// point reads (the last layer's).
struct QueryRows {
  bool all = true;
  std::vector<std::int32_t> rows;  // ascending; empty if all
  std::vector<std::int32_t> positions;
  std::vector<kernels::QueryRun> runs;
  // Of them, those of the first kFirstTokens and the last packing::kEndTokens of a sequence;
  // ascending.
  std::vector<std::int32_t> fine_rows;
  std::int64_t count() const { return static_cast<std::int64_t>(positions.size()); }
};

struct PackLayout {
  // Throws InternalError for a token outside the vocabulary. The pack must outlive the layout.
  PackLayout(const ModelConfig& config, const packing::Pack& pack);

  const packing::Pack& pack;
  std::int64_t num_rows;
  std::vector<kernels::AttentionSegment> segments;
  QueryRows all;
  QueryRows scored;
  std::vector<std::int32_t> first_rows;       // of the first kFirstTokens of a sequence; ascending
  std::vector<std::int32_t> end_rows;         // of the last packing::kEndTokens; ascending
  std::vector<std::int64_t> scored_of_point;  // [score points] index into scored.rows
  RotaryAngles angles;

 private:
  void find_first_rows();
  void find_end_rows();
};

}  // namespace laurel::model
