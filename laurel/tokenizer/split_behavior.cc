#include "laurel/tokenizer/split_behavior.h"

#include <algorithm>
#include <utility>

#include "laurel/base/error.h"

namespace laurel::tokenizer {
namespace {

// Walks the spans and joins each with the piece before it where `joins(span is a match, last one
// was)`.
template <typename Joins>
void join(std::vector<Span>& spans, Joins joins) {
  std::vector<Span> pieces;
  bool last_match = false;
  for (const Span& span : spans) {
    if (!pieces.empty() && joins(span.is_match, last_match)) {
      pieces.back().begin = std::min(pieces.back().begin, span.begin);
      pieces.back().end = std::max(pieces.back().end, span.end);
    } else {
      pieces.push_back(span);
    }
    last_match = span.is_match;
  }
  spans = std::move(pieces);
}

bool match_behind_gap(bool is_match, bool last_match) { return is_match && !last_match; }

}  // namespace

SplitBehavior parse_behavior(std::string_view name, const std::string& where) {
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  throw UserError(
      "{}: key \"behavior\": expected Removed, Isolated, MergedWithPrevious, MergedWithNext or "
      "Contiguous, got \"{}\"",
      where, name);
}

void apply_behavior(SplitBehavior behavior, std::vector<Span>& spans) {
  switch (behavior) {
    case SplitBehavior::kIsolated:
      return;
    case SplitBehavior::kRemoved:
      std::erase_if(spans, [](const Span& span) { return span.is_match; });
      return;
    case SplitBehavior::kContiguous:
      join(spans, [](bool is_match, bool last_match) { return is_match == last_match; });
      return;
    case SplitBehavior::kMergedWithPrevious:
      join(spans, match_behind_gap);
      return;
    case SplitBehavior::kMergedWithNext:
      std::reverse(spans.begin(), spans.end());
      join(spans, match_behind_gap);
      std::reverse(spans.begin(), spans.end());
      return;
  }
}

}  // namespace laurel::tokenizer
