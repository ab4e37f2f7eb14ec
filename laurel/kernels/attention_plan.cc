#include "laurel/kernels/attention_plan.h"

#include <algorithm>
#include <bit>
#include <cstddef>

namespace laurel::kernels {
namespace {

// A few hundred query rows (tokens × heads of the group) make good use of a transposed key block.
constexpr std::uint64_t kRowsPerPiece = 256;
constexpr std::int64_t kMinTokensPerPiece = 16;
// Below this many multiply-adds per thread, waking a thread costs more than it saves.
constexpr std::int64_t kMinCostPerThread = 1 << 20;

// Multiply-adds of one piece, and the preparation of its key blocks.
std::int64_t cost_of(const AttentionPiece& piece, std::int64_t start, const AttentionShape& shape) {
  const std::int64_t group = shape.num_heads / shape.num_kv_heads;
  std::int64_t keys = start + piece.first + piece.num_tokens;
  if (shape.window > 0) keys = std::min(keys, shape.window + piece.num_tokens);
  return keys * (2 * piece.num_tokens * group + 8) * shape.head_dim;
}

void cut_run(const QueryRun& run, std::int64_t start, std::int64_t tokens_per_piece,
             const AttentionShape& shape, std::vector<AttentionPiece>& pieces) {
  std::int64_t token = run.first;
  while (token < run.first + run.num_rows) {
    const std::int64_t next = round_up(start + token + 1, tokens_per_piece) - start;
    const std::int64_t end = std::min(next, run.first + run.num_rows);
    for (std::int64_t h = 0; h < shape.num_kv_heads; ++h) {
      AttentionPiece piece{run.segment, token, end - token, run.query_row + token - run.first,
                           h,           0};
      piece.cost = cost_of(piece, start, shape);
      pieces.push_back(piece);
    }
    token = end;
  }
}

std::vector<AttentionPiece> cut_all(std::span<const AttentionSegment> segments,
                                    std::span<const QueryRun> runs, std::int64_t tokens_per_piece,
                                    const AttentionShape& shape) {
  std::vector<AttentionPiece> pieces;
  for (const QueryRun& run : runs) {
    cut_run(run, segments[static_cast<std::size_t>(run.segment)].start, tokens_per_piece, shape,
            pieces);
  }
  return pieces;
}

}  // namespace

std::vector<std::vector<AttentionPiece>> plan_attention(std::span<const AttentionSegment> segments,
                                                        std::span<const QueryRun> runs,
                                                        const AttentionShape& shape,
                                                        std::int64_t num_threads) {
  const auto group = static_cast<std::uint64_t>(shape.num_heads / shape.num_kv_heads);
  auto tokens_per_piece = std::max<std::int64_t>(
      kMinTokensPerPiece,
      static_cast<std::int64_t>(std::bit_floor(std::max<std::uint64_t>(1, kRowsPerPiece / group))));
  std::vector<AttentionPiece> pieces = cut_all(segments, runs, tokens_per_piece, shape);
  const auto enough = static_cast<std::size_t>(num_threads > 1 ? 4 * num_threads : 1);
  while (pieces.size() < enough && tokens_per_piece > kMinTokensPerPiece) {
    tokens_per_piece /= 2;
    pieces = cut_all(segments, runs, tokens_per_piece, shape);
  }

  std::int64_t total = 0;
  for (const AttentionPiece& piece : pieces) total += piece.cost;
  const std::int64_t used = std::clamp<std::int64_t>(total / kMinCostPerThread, 1, num_threads);
  // Largest first, each to the thread with the least so far.
  std::stable_sort(
      pieces.begin(), pieces.end(),
      [](const AttentionPiece& a, const AttentionPiece& b) { return a.cost > b.cost; });
  std::vector<std::vector<AttentionPiece>> shares(static_cast<std::size_t>(used));
  std::vector<std::int64_t> loads(static_cast<std::size_t>(used));
  for (const AttentionPiece& piece : pieces) {
    const auto least =
        static_cast<std::size_t>(std::min_element(loads.begin(), loads.end()) - loads.begin());
    shares[least].push_back(piece);
    loads[least] += piece.cost;
  }
  return shares;
}

void find_path(std::span<const AttentionSegment> segments, std::int32_t segment, std::int64_t last,
               std::vector<KeyRange>& path) {
  path.clear();
  std::int64_t end = last + 1;
  for (std::int32_t s = segment; s >= 0;) {
    const AttentionSegment& seg = segments[static_cast<std::size_t>(s)];
    path.push_back({seg.start, seg.start + end, seg.row_offset});
    s = seg.parent;
    if (s >= 0) end = segments[static_cast<std::size_t>(s)].num_rows;
  }
  std::reverse(path.begin(), path.end());
}

double visible_pairs(std::span<const AttentionSegment> segments, std::span<const QueryRun> runs,
                     std::int64_t window) {
  double pairs = 0;
  for (const QueryRun& run : runs) {
    const AttentionSegment& own = segments[static_cast<std::size_t>(run.segment)];
    const AttentionSegment* root = &own;
    while (root->parent >= 0) root = &segments[static_cast<std::size_t>(root->parent)];
    const std::int64_t before = own.start - root->start + run.first;
    for (std::int64_t i = 1; i <= run.num_rows; ++i) {
      pairs += static_cast<double>(window > 0 ? std::min(window, before + i) : before + i);
    }
  }
  return pairs;
}

}  // namespace laurel::kernels
