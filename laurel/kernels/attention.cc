// Attention over a prefix forest, in the running-maximum form. One piece of work is a few tokens'
// queries for all heads that share a key/value head, stacked as rows (token-major); every block of
// its keys is made into a transposed K tile and a V tile once, which all rows use. See
// docs/design/kernels.md.
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "laurel/kernels/attention_plan.h"
#include "laurel/kernels/backward.h"
#include "laurel/kernels/op_clock.h"
#include "laurel/kernels/ops.h"
#include "laurel/kernels/partition.h"
#include "laurel/kernels/scratch.h"
#include "laurel/kernels/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "laurel/kernels/attention.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "laurel/kernels/math-inl.h"
#include "laurel/kernels/tile-inl.h"

#ifndef LAUREL_KERNELS_ATTENTION_CC_
#define LAUREL_KERNELS_ATTENTION_CC_
namespace laurel::kernels {

struct AttentionTask {
  ConstMatrix q;
  ConstMatrix k;
  ConstMatrix v;
  std::span<const AttentionSegment> segments;
  AttentionShape shape;
  Matrix out;
  Matrix log_sum_exp;  // optional: data may be null
};

}  // namespace laurel::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace laurel::kernels::HWY_NAMESPACE {

static_assert(kKeyBlock % kPanelCols == 0 && kKeyBlock <= kMaxDepth);

// Softmax state of one query row. The sum is kept in 16 lanes: key position modulo 16.
struct RowState {
  HWY_ALIGN float sums[kSumLanes] = {};
  float maximum = -FLT_MAX;
};

// A thread keeps it between calls.
struct PieceMemory {
  Scratch queries, keys, values, outputs, gathered;
};

class PieceRunner {
 public:
  PieceRunner(const AttentionTask& task, PieceMemory& memory) : task_(task), memory_(memory) {
    const AttentionShape& shape = task.shape;
    group_ = shape.num_heads / shape.num_kv_heads;
    num_chunks_ = ceil_div(shape.head_dim, kMaxDepth);
    padded_dim_ = round_up(shape.head_dim, kPanelCols);
  }

  void run(const AttentionPiece& piece) {
    piece_ = piece;
    num_rows_ = piece.num_tokens * group_;
    position_ = task_.segments[static_cast<std::size_t>(piece.segment)].start + piece.first;
    find_path(task_.segments, piece.segment, piece.first + piece.num_tokens - 1, path_);
    reserve();
    load_queries();
    const std::int64_t last = position_ + piece.num_tokens - 1;
    for (std::int64_t block = first_visible(position_) / kKeyBlock * kKeyBlock; block <= last;
         block += kKeyBlock) {
      visit(block);
    }
    store_outputs();
  }

 private:
  // Lowest position that the query at `position` sees.
  std::int64_t first_visible(std::int64_t position) const {
    const std::int64_t window = task_.shape.window;
    return std::max(path_.front().begin, window > 0 ? position - window + 1 : 0);
  }

  void reserve() {
    queries_ = memory_.queries.get(num_chunks_ * num_rows_ * kDepthStride);
    keys_ = memory_.keys.get(num_chunks_ * kMaxDepth * kKeyBlock);
    values_ = memory_.values.get(padded_dim_ * kKeyBlock);
    outputs_ = memory_.outputs.get(num_rows_ * padded_dim_);
    gathered_ = memory_.gathered.get(kPanelCols * task_.shape.head_dim);
    std::fill_n(outputs_, num_rows_ * padded_dim_, 0.0f);
    states_.assign(static_cast<std::size_t>(num_rows_), RowState());
  }

  Range chunk(std::int64_t i) const {
    return {i * kMaxDepth, std::min((i + 1) * kMaxDepth, task_.shape.head_dim)};
  }

  // Row r is head r mod group of token r / group; scaled, in chunks of the tile's depth.
  void load_queries() {
    const std::int64_t dim = task_.shape.head_dim;
    for (std::int64_t r = 0; r < num_rows_; ++r) {
      const float* from =
          task_.q.row(piece_.query_row + r / group_) + (piece_.kv_head * group_ + r % group_) * dim;
      for (std::int64_t c = 0; c < num_chunks_; ++c) {
        const Range part = chunk(c);
        float* to = queries_ + (c * num_rows_ + r) * kDepthStride;
        for (std::int64_t i = 0; i < part.size(); ++i)
          to[i] = from[part.begin + i] * task_.shape.scale;
      }
    }
  }

  void visit(std::int64_t block) {
    const std::int64_t end = std::min(block + kKeyBlock, path_.back().end);
    load_keys(block, end);
    const bool finite = load_values(block, end);
    // A masked key's weight is exactly 0, which adds nothing, unless its value is infinite or NaN:
    // then every row is its own tile, and reads only the keys that it sees.
    const std::int64_t num_tiles = finite ? ceil_div(num_rows_, kTileRows) : num_rows_;
    for (std::int64_t t = 0; t < num_tiles; ++t)
      visit_tile(part_of(num_rows_, num_tiles, t), block);
  }

  // Row of k and v with the key at `position`, and how many follow it in consecutive rows; 0 where
  // there is no key.
  Range rows_at(std::int64_t position, std::int64_t end) const {
    for (const KeyRange& range : path_) {
      if (position < range.begin || position >= range.end) continue;
      const std::int64_t row = range.row + position - range.begin;
      return {row, row + std::min(end, range.end) - position};
    }
    return {};
  }

  void load_keys(std::int64_t block, std::int64_t end) {
    const std::int64_t dim = task_.shape.head_dim;
    for (std::int64_t p = 0; p < ceil_div(end - block, kPanelCols); ++p) {
      const std::int64_t begin = block + p * kPanelCols;
      const Range rows = rows_at(begin, begin + kPanelCols);
      const float* from = task_.k.row(rows.begin) + piece_.kv_head * dim;
      std::int64_t stride = task_.k.stride;
      if (rows.size() < kPanelCols) {
        gather_keys(begin, end);
        from = gathered_;
        stride = dim;
      }
      for (std::int64_t c = 0; c < num_chunks_; ++c) {
        const Range part = chunk(c);
        const StoredRows stored{reinterpret_cast<const unsigned char*>(from + part.begin),
                                stride * static_cast<std::int64_t>(sizeof(float)), kPanelCols};
        expand_panel(DType::kF32, stored, part.size(), key_panel(c, p));
      }
    }
  }

  float* key_panel(std::int64_t chunk_index, std::int64_t panel) const {
    return keys_ + (chunk_index * kKeyBlock / kPanelCols + panel) * kMaxDepth * kPanelCols;
  }

  // The keys of one panel where they are not kPanelCols consecutive rows; absent ones are 0.
  void gather_keys(std::int64_t begin, std::int64_t end) {
    const std::int64_t dim = task_.shape.head_dim;
    for (std::int64_t c = 0; c < kPanelCols; ++c) {
      const Range row = begin + c < end ? rows_at(begin + c, begin + c + 1) : Range{};
      float* to = gathered_ + c * dim;
      if (row.size() == 0) {
        std::fill_n(to, dim, 0.0f);
      } else {
        std::copy_n(task_.k.row(row.begin) + piece_.kv_head * dim, dim, to);
      }
    }
  }

  // values_: [padded_dim / kPanelCols][kKeyBlock, kPanelCols]. Returns whether all are finite.
  bool load_values(std::int64_t block, std::int64_t end) {
    bool finite = true;
    for (std::int64_t at = block; at < block + kKeyBlock;) {
      const Range rows = at < end ? rows_at(at, end) : Range{};
      if (rows.size() == 0) load_value(nullptr, at++ - block);
      for (std::int64_t r = rows.begin; r < rows.end; ++r, ++at) {
        const float* value = task_.v.row(r) + piece_.kv_head * task_.shape.head_dim;
        finite = load_value(value, at - block) && finite;
      }
    }
    return finite;
  }

  // Value j of the block, 0 without one. Returns whether it is finite.
  bool load_value(const float* from, std::int64_t j) {
    const F32 d;
    const std::int64_t dim = task_.shape.head_dim;
    bool finite = true;
    for (std::int64_t i = 0; i < padded_dim_; i += kPanelCols) {
      float* to = values_ + (i / kPanelCols * kKeyBlock + j) * kPanelCols;
      const std::int64_t count = from != nullptr ? std::min(kPanelCols, dim - i) : 0;
      if (count == kPanelCols) {
        hn::StoreU(hn::LoadU(d, from + i), d, to);
        hn::StoreU(hn::LoadU(d, from + i + kLanes), d, to + kLanes);
      } else {
        if (count > 0) std::copy_n(from + i, count, to);
        std::fill_n(to + count, kPanelCols - count, 0.0f);
      }
      finite = finite && all_finite(to);
    }
    return finite;
  }

  static bool all_finite(const float* panel_row) {
    const F32 d;
    const auto left = hn::IsFinite(hn::LoadU(d, panel_row));
    const auto right = hn::IsFinite(hn::LoadU(d, panel_row + kLanes));
    return hn::AllTrue(d, hn::And(left, right));
  }

  // Keys of the block that a row sees, as offsets into the block.
  Range visible(std::int64_t row, std::int64_t block) const {
    const std::int64_t position = position_ + row / group_;
    return {std::max<std::int64_t>(0, first_visible(position) - block),
            std::min(kKeyBlock, position + 1 - block)};
  }

  void visit_tile(Range rows, std::int64_t block) {
    const Range keys{visible(rows.begin, block).begin, visible(rows.end - 1, block).end};
    if (keys.begin >= keys.end) return;
    HWY_ALIGN float weights[kTileRows * kDepthStride];
    score(rows, keys, weights);
    for (std::int64_t r = rows.begin; r < rows.end; ++r)
      soften(r, keys, visible(r, block), weights + (r - rows.begin) * kDepthStride);
    const TileFunction multiply = tile_function(rows.size());
    for (std::int64_t i = 0; i < padded_dim_; i += kPanelCols) {
      multiply(weights + keys.begin,
               values_ + (i / kPanelCols * kKeyBlock + keys.begin) * kPanelCols, keys.size(),
               outputs_ + rows.begin * padded_dim_ + i, padded_dim_, Start::kContinue, {});
    }
  }

  // weights[row][key] = q · k, whole panels.
  void score(Range rows, Range keys, float* weights) const {
    const TileFunction multiply = tile_function(rows.size());
    for (std::int64_t p = keys.begin / kPanelCols; p * kPanelCols < keys.end; ++p) {
      for (std::int64_t c = 0; c < num_chunks_; ++c) {
        multiply(queries_ + (c * num_rows_ + rows.begin) * kDepthStride, key_panel(c, p),
                 chunk(c).size(), weights + p * kPanelCols, kDepthStride,
                 c == 0 ? Start::kZero : Start::kContinue, {});
      }
    }
  }

  // Turns a row's scores of the keys in `tile` into weights e^(s - maximum), 0 where not `seen`;
  // updates the row's maximum and sum, and rescales its output when the maximum grew.
  void soften(std::int64_t row, Range tile, Range seen, float* weights) {
    const F32 d;
    RowState& state = states_[static_cast<std::size_t>(row)];
    const std::int64_t begin = tile.begin / kLanes * kLanes;
    const std::int64_t end = round_up(tile.end, kLanes);
    Vector highest = hn::Set(d, -FLT_MAX);
    for (std::int64_t j = begin; j < end; j += kLanes) {
      const Vector s = masked_scores(weights + j, j, seen);
      hn::StoreU(s, d, weights + j);
      highest = hn::Max(highest, s);
    }
    const float maximum = std::max(state.maximum, hn::GetLane(hn::MaxOfLanes(d, highest)));
    if (maximum > state.maximum) rescale(row, state, maximum);
    const Vector shift = hn::Set(d, maximum);
    for (std::int64_t j = begin; j < end; j += kLanes) {
      const Vector p = exp_negative(hn::Sub(hn::LoadU(d, weights + j), shift));
      hn::StoreU(p, d, weights + j);
      float* sum = state.sums + j % kSumLanes;
      hn::StoreU(hn::Add(hn::LoadU(d, sum), p), d, sum);
    }
  }

  Vector masked_scores(const float* scores, std::int64_t first, Range seen) const {
    const F32 d;
    const float cap = task_.shape.soft_cap;
    Vector s = hn::LoadU(d, scores);
    if (cap > 0) s = soft_cap(s, hn::Set(d, cap), hn::Set(d, 1.0f / cap));
    if (first >= seen.begin && first + kLanes <= seen.end) return s;
    const Vector index = hn::Iota(d, static_cast<float>(first));
    const auto hidden = hn::Or(hn::Lt(index, hn::Set(d, static_cast<float>(seen.begin))),
                               hn::Ge(index, hn::Set(d, static_cast<float>(seen.end))));
    return hn::IfThenElse(hidden, hn::Set(d, -std::numeric_limits<float>::infinity()), s);
  }

  void rescale(std::int64_t row, RowState& state, float maximum) {
    const F32 d;
    const Vector factor = exp_negative(hn::Set(d, state.maximum - maximum));
    state.maximum = maximum;
    for (std::int64_t i = 0; i < kSumLanes; i += kLanes)
      hn::StoreU(hn::Mul(hn::LoadU(d, state.sums + i), factor), d, state.sums + i);
    float* out = outputs_ + row * padded_dim_;
    for (std::int64_t i = 0; i < padded_dim_; i += kLanes)
      hn::StoreU(hn::Mul(hn::LoadU(d, out + i), factor), d, out + i);
  }

  void store_outputs() {
    const std::int64_t dim = task_.shape.head_dim;
    for (std::int64_t r = 0; r < num_rows_; ++r) {
      const RowState& state = states_[static_cast<std::size_t>(r)];
      const std::int64_t row = piece_.query_row + r / group_;
      const std::int64_t head = piece_.kv_head * group_ + r % group_;
      const float sum = reduce_lanes(state.sums);
      if (task_.log_sum_exp.data != nullptr)
        task_.log_sum_exp.row(row)[head] = state.maximum + std::log(sum);
      const float inverse = 1.0f / sum;
      const float* from = outputs_ + r * padded_dim_;
      float* to = task_.out.row(row) + head * dim;
      // + 0 makes -0 into +0: the sign of a zero could depend on how many masked keys were in the
      // tile.
      for (std::int64_t i = 0; i < dim; ++i) to[i] = from[i] * inverse + 0.0f;
    }
  }

  const AttentionTask& task_;
  PieceMemory& memory_;
  std::int64_t group_ = 0;
  std::int64_t num_chunks_ = 0;
  std::int64_t padded_dim_ = 0;

  AttentionPiece piece_;
  std::int64_t num_rows_ = 0;
  std::int64_t position_ = 0;  // of the piece's first token
  std::vector<KeyRange> path_;
  std::vector<RowState> states_;
  float* queries_ = nullptr;  // [chunk][row, kDepthStride]
  float* keys_ = nullptr;     // [chunk][panel][kMaxDepth, kPanelCols]
  float* values_ = nullptr;
  float* outputs_ = nullptr;   // [row, padded_dim]
  float* gathered_ = nullptr;  // [kPanelCols, head_dim]
};

void attend_pieces(const AttentionTask& task, std::span<const AttentionPiece> pieces) {
  static thread_local PieceMemory memory;
  PieceRunner runner(task, memory);
  for (const AttentionPiece& piece : pieces) runner.run(piece);
}

}  // namespace laurel::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace laurel::kernels {

HWY_EXPORT(attend_pieces);

void forest_attention(ConstMatrix q, ConstMatrix k, ConstMatrix v,
                      std::span<const AttentionSegment> segments, std::span<const QueryRun> runs,
                      const AttentionShape& shape, Matrix out, ThreadPool& pool) {
  forest_attention(q, k, v, segments, runs, shape, out, Matrix(), pool);
}

void forest_attention(ConstMatrix q, ConstMatrix k, ConstMatrix v,
                      std::span<const AttentionSegment> segments, std::span<const QueryRun> runs,
                      const AttentionShape& shape, Matrix out, Matrix log_sum_exp,
                      ThreadPool& pool) {
  const OpTimer timer("forest_attention", [&] {
    const auto query_dims = static_cast<double>(shape.num_heads * shape.head_dim);
    OpWork work = moved(q.rows * q.cols, 2);  // and the output
    work.bytes += moved(k.rows * k.cols, 2).bytes;
    work.flops = 4 * query_dims * visible_pairs(segments, runs, shape.window);
    return work;
  });
  const AttentionTask task{q, k, v, segments, shape, out, log_sum_exp};
  const auto shares = plan_attention(segments, runs, shape, pool.num_threads());
  const auto attend = LAUREL_DISPATCH(attend_pieces);
  pool.parallel_for(static_cast<std::int64_t>(shares.size()), 1,
                    [&](std::int64_t begin, std::int64_t end, int) {
                      for (std::int64_t i = begin; i < end; ++i)
                        attend(task, shares[static_cast<std::size_t>(i)]);
                    });
}

}  // namespace laurel::kernels
#endif
