#include "laurel/packing/forest.h"

#include <algorithm>
#include <numeric>

#include "laurel/base/error.h"

namespace laurel::packing {
namespace {

// Tokens that two sequences may share from the start.
std::int64_t common_prefix(const Sequence& a, const Sequence& b, bool separate_ends) {
  if (a.first_position != b.first_position) return 0;
  const auto length = std::min(a.tokens.size(), b.tokens.size());
  const auto end = a.tokens.begin() + static_cast<std::ptrdiff_t>(length);
  const auto same = std::mismatch(a.tokens.begin(), end, b.tokens.begin()).first;
  const std::int64_t common = same - a.tokens.begin();
  const bool equal = same == end && a.tokens.size() == b.tokens.size();
  if (!separate_ends || equal) return common;
  return std::clamp<std::int64_t>(static_cast<std::int64_t>(length) - kEndTokens, 0, common);
}

std::int64_t length_of(const Sequence& sequence) {
  return static_cast<std::int64_t>(sequence.tokens.size());
}

// Sequences in lexicographic order, where every common prefix is a run of neighbors.
struct SortedSequences {
  std::span<const Sequence> input;
  std::vector<std::int64_t> order;  // indexes into input
  std::vector<std::int64_t>
      shared;  // shared[i]: common prefix of order[i-1] and order[i]; 0 for i = 0

  const Sequence& at(std::int64_t i) const {
    return input[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])];
  }
  std::int64_t shared_at(std::int64_t i) const { return shared[static_cast<std::size_t>(i)]; }
};

SortedSequences sort_sequences(std::span<const Sequence> input, const PlanOptions& options) {
  SortedSequences sorted{input, std::vector<std::int64_t>(input.size()),
                         std::vector<std::int64_t>(input.size(), 0)};
  std::iota(sorted.order.begin(), sorted.order.end(), 0);
  if (!options.share_prefixes) return sorted;
  std::stable_sort(sorted.order.begin(), sorted.order.end(), [&](std::int64_t a, std::int64_t b) {
    const Sequence& left = input[static_cast<std::size_t>(a)];
    const Sequence& right = input[static_cast<std::size_t>(b)];
    if (left.first_position != right.first_position) {
      return left.first_position < right.first_position;
    }
    return std::lexicographical_compare(left.tokens.begin(), left.tokens.end(),
                                        right.tokens.begin(), right.tokens.end());
  });
  for (std::size_t i = 1; i < sorted.order.size(); ++i) {
    sorted.shared[i] =
        common_prefix(sorted.at(static_cast<std::int64_t>(i) - 1),
                      sorted.at(static_cast<std::int64_t>(i)), options.separate_ends);
  }
  return sorted;
}

// Where to end a pack that holds [begin, end) when `end` no longer fits: in the last quarter of its
// tokens, before the sequence that shares least with its neighbor, since a prefix cut there is
// computed again in the next pack.
std::int64_t choose_cut(const SortedSequences& sorted, std::int64_t begin, std::int64_t end,
                        std::int64_t num_tokens, std::int64_t max_tokens) {
  std::int64_t cut = end;
  std::int64_t tokens = num_tokens;
  for (std::int64_t i = end - 1; i > begin; --i) {
    tokens -= length_of(sorted.at(i)) - sorted.shared_at(i);
    if (tokens < max_tokens - max_tokens / 4) break;
    if (sorted.shared_at(i) < sorted.shared_at(cut)) cut = i;
  }
  return cut;
}

// Builds one pack from the sorted sequences [begin, end).
class PackBuilder {
 public:
  PackBuilder(const SortedSequences& sorted, std::int64_t begin, std::int64_t end)
      : sorted_(sorted), begin_(begin) {
    add_range(begin, end, 0, -1);
    std::stable_sort(pack_.score_points.begin(), pack_.score_points.end(),
                     [&](const ScorePoint& a, const ScorePoint& b) { return row(a) < row(b); });
  }

  Pack take() { return std::move(pack_); }

 private:
  std::int64_t row(const ScorePoint& point) const {
    return pack_.segments[static_cast<std::size_t>(point.segment)].row_offset +
           point.index_in_segment;
  }

  // Prefix shared with the neighbor before, within this pack.
  std::int64_t shared_at(std::int64_t i) const { return i == begin_ ? 0 : sorted_.shared_at(i); }

  // Adds the subtree of the sequences [begin, end), which agree on their first `depth` tokens;
  // those are the path down to `parent`. Every level splits off at least one sequence, so the depth
  // of recursion is bounded by the pack.
  void add_range(std::int64_t begin, std::int64_t end, std::int64_t depth, std::int32_t parent) {
    std::int64_t split = length_of(sorted_.at(begin));
    for (std::int64_t i = begin + 1; i < end; ++i) split = std::min(split, shared_at(i));
    if (split > depth) parent = add_segment(sorted_.at(begin), depth, split, parent);

    std::int64_t i = begin;
    while (i < end && length_of(sorted_.at(i)) == split) {  // ends where the others go on
      pack_.score_points.push_back(
          {sorted_.order[static_cast<std::size_t>(i)], parent, split - segment_depth(parent) - 1});
      ++i;
    }
    while (i < end) {  // children: runs that share more than `split`
      std::int64_t child_end = i + 1;
      while (child_end < end && shared_at(child_end) > split) ++child_end;
      add_range(i, child_end, split, parent);
      i = child_end;
    }
  }

  // Number of path tokens before the segment.
  std::int64_t segment_depth(std::int32_t segment) const {
    return depths_[static_cast<std::size_t>(segment)];
  }

  std::int32_t add_segment(const Sequence& sequence, std::int64_t first, std::int64_t last,
                           std::int32_t parent) {
    const auto row_offset = static_cast<std::int64_t>(pack_.tokens.size());
    pack_.segments.push_back({parent, sequence.first_position + first, row_offset, last - first});
    depths_.push_back(first);
    for (std::int64_t i = first; i < last; ++i) {
      pack_.tokens.push_back(sequence.tokens[static_cast<std::size_t>(i)]);
      pack_.positions.push_back(sequence.first_position + static_cast<std::int32_t>(i));
    }
    return static_cast<std::int32_t>(pack_.segments.size()) - 1;
  }

  const SortedSequences& sorted_;
  const std::int64_t begin_;
  std::vector<std::int64_t> depths_;
  Pack pack_;
};

}  // namespace

std::vector<Pack> plan_packs(std::span<const Sequence> sequences, const PlanOptions& options) {
  for (const Sequence& sequence : sequences) {
    if (sequence.tokens.empty()) throw InternalError("plan_packs: empty sequence");
  }
  const SortedSequences sorted = sort_sequences(sequences, options);
  const auto count = static_cast<std::int64_t>(sequences.size());
  std::vector<Pack> packs;
  std::int64_t begin = 0;
  while (begin < count) {
    std::int64_t num_tokens = length_of(sorted.at(begin));
    std::int64_t end = begin + 1;
    while (end < count) {
      const std::int64_t added = length_of(sorted.at(end)) - sorted.shared_at(end);
      if (num_tokens + added > options.max_tokens) break;
      num_tokens += added;
      ++end;
    }
    if (end < count) end = choose_cut(sorted, begin, end, num_tokens, options.max_tokens);
    packs.push_back(PackBuilder(sorted, begin, end).take());
    begin = end;
  }
  return packs;
}

bool has_separate_ends(const Pack& pack) {
  std::vector<bool> is_parent(pack.segments.size(), false);
  for (const Segment& segment : pack.segments) {
    if (segment.parent >= 0) is_parent[static_cast<std::size_t>(segment.parent)] = true;
  }
  return std::ranges::all_of(pack.score_points, [&](const ScorePoint& point) {
    const auto segment = static_cast<std::size_t>(point.segment);
    const Segment& last = pack.segments[segment];
    return !is_parent[segment] && point.index_in_segment == last.num_rows - 1 &&
           (last.num_rows >= kEndTokens || last.parent < 0);
  });
}

PlanStatistics statistics(std::span<const Sequence> sequences, std::span<const Pack> packs) {
  PlanStatistics result;
  for (const Sequence& sequence : sequences) result.sequence_tokens += length_of(sequence);
  for (const Pack& pack : packs) {
    result.physical_tokens += static_cast<std::int64_t>(pack.tokens.size());
    for (const Segment& segment : pack.segments) {
      const std::int64_t rows = segment.num_rows;
      result.attention_pairs += rows * segment.start + rows * (rows + 1) / 2;
    }
  }
  return result;
}

}  // namespace laurel::packing
