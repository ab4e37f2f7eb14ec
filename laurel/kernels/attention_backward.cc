// Backward of attention over a prefix forest. A step is a few hundred query rows (stacked token by
// token, the heads that share a key/value head) that visit the key tiles of their path. Scores are
// computed transposed, [keys, query rows]: what belongs to a query row lies along vectors, and the
// same memory is the left operand of the sums over rows, and as panels the right operand of the sum
// over keys. See docs/design/kernels.md.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <utility>
#include <vector>

#include "laurel/kernels/attention_backward_plan.h"
#include "laurel/kernels/attention_plan.h"
#include "laurel/kernels/backward.h"
#include "laurel/kernels/op_clock.h"
#include "laurel/kernels/partition.h"
#include "laurel/kernels/scratch.h"
#include "laurel/kernels/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "laurel/kernels/attention_backward.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "laurel/kernels/math-inl.h"
#include "laurel/kernels/tile-inl.h"

#ifndef LAUREL_KERNELS_ATTENTION_BACKWARD_CC_
#define LAUREL_KERNELS_ATTENTION_BACKWARD_CC_
namespace laurel::kernels {

struct BackwardTask {
  AttentionInputs inputs;
  AttentionShape shape;
  AttentionGradients gradients;
  GradientPlan plan;
  // Of each tile and key/value head: visits done.
  std::vector<std::atomic<std::int32_t>> turns = std::vector<std::atomic<std::int32_t>>(
      plan.tiles.size() * static_cast<std::size_t>(shape.num_kv_heads));
  std::atomic<std::size_t> next_step{0};  // step-major, key/value head minor
};

}  // namespace laurel::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace laurel::kernels::HWY_NAMESPACE {

static_assert(kMaxTileKeys % kPanelCols == 0 && kMaxStepRows <= kMaxDepth);

// Computes steps of any key/value head, one after another.
class StepRunner {
 public:
  explicit StepRunner(BackwardTask& task) : task_(task), shape_(task.shape) {
    group_ = shape_.num_heads / shape_.num_kv_heads;
    dim_ = shape_.head_dim;
    padded_dim_ = round_up(dim_, std::max(kPanelCols, kSumLanes));
    num_chunks_ = ceil_div(dim_, kMaxDepth);
    reserve();
  }

  void run(const GradientStep& step, std::int64_t kv_head) {
    step_ = &step;
    kv_head_ = kv_head;
    num_panels_ = ceil_div(step.num_rows, kPanelCols);
    for (std::int64_t i = 0; i < padded_dim_; ++i)
      std::fill_n(dqueries_ + i * kDepthStride, num_panels_ * kPanelCols, 0.0f);
    find_places();
    load_rows();
    for (const KeyVisit& visit : step.visits) visit_tile(visit);
    store_query_gradients();
  }

 private:
  struct Place {
    std::int64_t row = 0;
    std::int64_t head = 0;
  };

  void find_places() {
    std::int64_t r = 0;
    for (const StackedRows& part : step_->parts) {
      for (std::int64_t i = part.begin; i < part.begin + part.num_rows; ++i, ++r) {
        places_[r] = {part.query_row + i / group_, kv_head_ * group_ + i % group_};
        positions_[r] = static_cast<float>(part.position + i / group_);
      }
    }
  }

  // All that steps need, at once: one that failed in between would leave others waiting.
  void reserve() {
    static thread_local Scratch memory;
    std::int64_t rows = 0;
    for (const GradientStep& step : task_.plan.steps)
      rows = std::max(rows, round_up(step.num_rows, kPanelCols));
    const std::int64_t row_size = rows * padded_dim_;
    const std::int64_t tile_size = kMaxTileKeys * kDepthStride;
    const std::int64_t stage_size = std::max(2 * rows, kMaxTileKeys) * padded_dim_;
    const std::pair<float**, std::int64_t> parts[] = {
        {&stage_, stage_size},
        {&queries_, 2 * row_size},
        {&douts_, 2 * row_size},
        {&keys_, num_chunks_ * tile_size},
        {&values_, num_chunks_ * tile_size},
        {&transposed_keys_, padded_dim_ * kDepthStride},
        {&weights_, tile_size},
        {&dscores_, tile_size},
        {&dscore_panel_, kMaxTileKeys * kPanelCols},
        {&dqueries_, padded_dim_ * kDepthStride}};
    std::int64_t total = 0;
    for (const auto& [pointer, size] : parts) total += round_up(size, kSumLanes);
    float* next = memory.get(total);
    for (const auto& [pointer, size] : parts) {
      *pointer = next;
      next += round_up(size, kSumLanes);
    }
  }

  // --- Query rows ---

  void load_rows() {
    gather(task_.inputs.q, shape_.scale, stage_);
    make_panels(queries_);
    gather(task_.inputs.out, 1, stage_ + num_panels_ * kPanelCols * padded_dim_);
    gather(task_.inputs.dout, 1, stage_);
    make_panels(douts_);
    for (std::int64_t r = 0; r < num_panels_ * kPanelCols; ++r) {
      const Place at = places_[r];
      log_sums_[r] = r < step_->num_rows ? task_.inputs.log_sum_exp.row(at.row)[at.head] : 0;
      const float* dout = stage_ + r * padded_dim_;
      means_[r] = dot(dout, dout + num_panels_ * kPanelCols * padded_dim_);
    }
  }

  // Rows of the step times `factor`, [rows, padded_dim]; padding is 0.
  void gather(const ConstMatrix& from, float factor, float* to) const {
    for (std::int64_t r = 0; r < num_panels_ * kPanelCols; ++r, to += padded_dim_) {
      const std::int64_t count = r < step_->num_rows ? dim_ : 0;
      if (count > 0) {
        const Place at = places_[r];
        const float* source = from.row(at.row) + at.head * dim_;
        for (std::int64_t i = 0; i < count; ++i) to[i] = source[i] * factor;
      }
      std::fill_n(to + count, padded_dim_ - count, 0.0f);
    }
  }

  // From the staged rows: the transposed panels [panel][dim, kPanelCols], and after them those of
  // the rows as they are, [padded_dim / kPanelCols][rows, kPanelCols].
  void make_panels(float* panels) const {
    const std::int64_t rows = num_panels_ * kPanelCols;
    for (std::int64_t p = 0; p < num_panels_; ++p) {
      expand_panel(DType::kF32, stored(stage_ + p * kPanelCols * padded_dim_, padded_dim_), dim_,
                   panels + p * kPanelCols * padded_dim_);
    }
    float* plain = panels + rows * padded_dim_;
    for (std::int64_t i = 0; i < padded_dim_; i += kPanelCols) {
      for (std::int64_t r = 0; r < rows; ++r, plain += kPanelCols)
        std::copy_n(stage_ + r * padded_dim_ + i, kPanelCols, plain);
    }
  }

  static StoredRows stored(const float* rows, std::int64_t stride) {
    return {reinterpret_cast<const unsigned char*>(rows),
            stride * static_cast<std::int64_t>(sizeof(float)), kPanelCols};
  }

  float dot(const float* a, const float* b) const {
    const F32 d;
    HWY_ALIGN float sums[kSumLanes] = {};
    for (std::int64_t i = 0; i < padded_dim_; i += kLanes) {
      float* sum = sums + i % kSumLanes;
      hn::StoreU(hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), hn::LoadU(d, sum)), d, sum);
    }
    return reduce_lanes(sums);
  }

  // dqueries_ [dim, rows] transposed into dq. Adding 0 makes -0 into +0: the sign of a zero could
  // depend on how many masked keys were in the tile.
  void store_query_gradients() {
    const std::int64_t rows = num_panels_ * kPanelCols;
    for (std::int64_t i = 0; i < dim_; i += kPanelCols) {
      expand_panel(DType::kF32, stored(dqueries_ + i * kDepthStride, kDepthStride), rows, stage_);
      for (std::int64_t r = 0; r < step_->num_rows; ++r) {
        const Place at = places_[r];
        float* to = task_.gradients.dq.row(at.row) + at.head * dim_ + i;
        const float* from = stage_ + r * kPanelCols;
        const std::int64_t count = std::min(kPanelCols, dim_ - i);
        for (std::int64_t c = 0; c < count; ++c) to[c] = from[c] * shape_.scale + 0.0f;
      }
    }
  }

  // --- Keys ---

  std::int64_t chunk_size(std::int64_t c) const {
    return std::min((c + 1) * kMaxDepth, dim_) - c * kMaxDepth;
  }

  // [chunk of the depth][key, kDepthStride]; 0 after the last key up to a whole panel.
  void load(const ConstMatrix& from, float* to) const {
    const std::int64_t padded_keys = round_up(tile_.num_keys, kPanelCols);
    for (std::int64_t c = 0; c < num_chunks_; ++c, to += kMaxTileKeys * kDepthStride) {
      for (std::int64_t j = 0; j < padded_keys; ++j) {
        const std::int64_t count = chunk_size(c);
        float* row = to + j * kDepthStride;
        if (j < tile_.num_keys) {
          std::copy_n(from.row(tile_.row + j) + kv_head_ * dim_ + c * kMaxDepth, count, row);
        } else {
          std::fill_n(row, count, 0.0f);
        }
      }
    }
  }

  // transposed_keys_: [dim, kDepthStride].
  void transpose_keys() {
    for (std::int64_t c = 0; c < num_chunks_; ++c) {
      for (std::int64_t j = 0; j < tile_.num_keys; j += kPanelCols) {
        const std::int64_t depth = chunk_size(c);
        const float* from = keys_ + (c * kMaxTileKeys + j) * kDepthStride;
        expand_panel(DType::kF32, stored(from, kDepthStride), depth, stage_);
        for (std::int64_t i = 0; i < depth; ++i) {
          std::copy_n(stage_ + i * kPanelCols, kPanelCols,
                      transposed_keys_ + (c * kMaxDepth + i) * kDepthStride + j);
        }
      }
    }
  }

  // --- A tile of keys ---

  void visit_tile(const KeyVisit& visit) {
    tile_ = task_.plan.tiles[static_cast<std::size_t>(visit.tile)];
    load(task_.inputs.k, keys_);
    load(task_.inputs.v, values_);
    transpose_keys();
    num_parts_ = ceil_div(tile_.num_keys, kTileRows);
    std::fill_n(part_panels_, num_parts_, Range{num_panels_, 0});
    for (std::int64_t p = visit.rows.begin / kPanelCols; p * kPanelCols < visit.rows.end; ++p)
      visit_panel(p, visit.rows);
    std::atomic<std::int32_t>& turn =
        task_.turns[static_cast<std::size_t>(visit.tile * shape_.num_kv_heads + kv_head_)];
    for (std::int32_t now = turn.load(std::memory_order_acquire); now != visit.turn;
         now = turn.load(std::memory_order_acquire)) {
      turn.wait(now, std::memory_order_acquire);
    }
    add_key_gradients(weights_, douts_, task_.gradients.dv);
    add_key_gradients(dscores_, queries_, task_.gradients.dk);
    turn.store(visit.turn + 1, std::memory_order_release);
    turn.notify_all();
  }

  // The keys of a tile are done in parts of a register tile's rows.
  Range part(std::int64_t t) const { return part_of(tile_.num_keys, num_parts_, t); }

  // Lowest and highest position (inclusive) of some rows.
  std::pair<std::int64_t, std::int64_t> positions(Range rows) const {
    const auto [lowest, highest] =
        std::minmax_element(positions_ + rows.begin, positions_ + rows.end);
    return {static_cast<std::int64_t>(*lowest), static_cast<std::int64_t>(*highest)};
  }

  // Keys of the tile that some of the rows see.
  Range visible_keys(Range rows) const {
    const auto [lowest, highest] = positions(rows);
    const std::int64_t first = shape_.window > 0 ? lowest - shape_.window + 1 : 0;
    return {std::max<std::int64_t>(0, first - tile_.position),
            std::min(tile_.num_keys, highest + 1 - tile_.position)};
  }

  // Whether all of the rows see all keys of the range.
  bool all_visible(Range rows, Range keys) const {
    const auto [lowest, highest] = positions(rows);
    return tile_.position + keys.end - 1 <= lowest &&
           (shape_.window == 0 || tile_.position + keys.begin > highest - shape_.window);
  }

  // A panel's rows, of which those in `on_path` may see the tile.
  void visit_panel(std::int64_t panel, Range on_path) {
    const Range rows{std::max(panel * kPanelCols, on_path.begin),
                     std::min((panel + 1) * kPanelCols, on_path.end)};
    const Range visible = visible_keys(rows);
    if (visible.begin >= visible.end) return;
    Range done{kMaxTileKeys, 0};
    for (std::int64_t t = 0; t < num_parts_; ++t) {
      const Range keys = part(t);
      if (keys.end <= visible.begin || keys.begin >= visible.end) continue;
      multiply_rows(keys_, queries_, keys, panel, weights_);
      multiply_rows(values_, douts_, keys, panel, dscores_);
      differentiate(keys, panel, rows, rows.size() == kPanelCols && all_visible(rows, keys));
      done = {std::min(done.begin, keys.begin), keys.end};
      extend(part_panels_[t], panel, keys);
    }
    add_query_gradients(done, panel);
  }

  // Takes a panel into those done with a part of the keys, with zeros for the ones in between: runs
  // of different segments may lie in any order, and a window may hide the keys from some.
  void extend(Range& panels, std::int64_t panel, Range keys) {
    if (panels.begin > panel) panels = {panel, panel};
    const std::int64_t gap = (panel - panels.end) * kPanelCols;
    for (std::int64_t j = keys.begin; gap > 0 && j < keys.end; ++j) {
      std::fill_n(weights_ + j * kDepthStride + panels.end * kPanelCols, gap, 0.0f);
      std::fill_n(dscores_ + j * kDepthStride + panels.end * kPanelCols, gap, 0.0f);
    }
    panels.end = panel + 1;
  }

  // to[key][row of the panel] = a[key] · panels[row].
  void multiply_rows(const float* a, const float* panels, Range keys, std::int64_t panel,
                     float* to) const {
    const TileFunction multiply = tile_function(keys.size());
    for (std::int64_t c = 0; c < num_chunks_; ++c) {
      multiply(a + (c * kMaxTileKeys + keys.begin) * kDepthStride,
               panels + panel * kPanelCols * padded_dim_ + c * kMaxDepth * kPanelCols,
               chunk_size(c), to + keys.begin * kDepthStride + panel * kPanelCols, kDepthStride,
               c == 0 ? Start::kZero : Start::kContinue, {});
    }
  }

  // Scores and gradients of weights become weights and gradients of scores; 0 where not visible.
  void differentiate(Range keys, std::int64_t panel, Range rows, bool whole) {
    for (std::int64_t half = 0; half < kPanelCols; half += kLanes) {
      const std::int64_t row = panel * kPanelCols + half;
      for (std::int64_t j = keys.begin; j < keys.end; ++j)
        differentiate_vector(j, row, half, rows, whole);
    }
  }

  HWY_INLINE void differentiate_vector(std::int64_t key, std::int64_t row, std::int64_t half,
                                       Range rows, bool whole) {
    const F32 d;
    const Vector one = hn::Set(d, 1.0f);
    Vector score = hn::LoadU(d, weights_ + key * kDepthStride + row);
    Vector slope = one;
    if (shape_.soft_cap > 0) {
      const Vector inverse = hn::Set(d, 1.0f / shape_.soft_cap);
      score = soft_cap(score, hn::Set(d, shape_.soft_cap), inverse);
      const Vector ratio = hn::Mul(score, inverse);
      slope = hn::NegMulAdd(ratio, ratio, one);
    }
    Vector weight = exp_negative(hn::Sub(score, hn::LoadU(d, log_sums_ + row)));
    const Vector dweight = hn::LoadU(d, dscores_ + key * kDepthStride + row);
    Vector dscore = hn::Mul(weight, hn::Sub(dweight, hn::LoadU(d, means_ + row)));
    if (shape_.soft_cap > 0) dscore = hn::Mul(dscore, slope);
    if (!whole) {
      const auto seen = sees(row, rows, tile_.position + key);
      weight = hn::IfThenElseZero(seen, weight);
      dscore = hn::IfThenElseZero(seen, dscore);
    }
    hn::StoreU(weight, d, weights_ + key * kDepthStride + row);
    hn::StoreU(dscore, d, dscores_ + key * kDepthStride + row);
    hn::StoreU(dscore, d, dscore_panel_ + key * kPanelCols + half);
  }

  // Which of the vector of rows from `row` on are in `rows` and see the key.
  hn::Mask<F32> sees(std::int64_t row, Range rows, std::int64_t key_position) const {
    const F32 d;
    const Vector index = hn::Iota(d, static_cast<float>(row));
    const auto inside = hn::And(hn::Ge(index, hn::Set(d, static_cast<float>(rows.begin))),
                                hn::Lt(index, hn::Set(d, static_cast<float>(rows.end))));
    const Vector key = hn::Set(d, static_cast<float>(key_position));
    const Vector at = hn::LoadU(d, positions_ + row);
    const auto past = hn::And(inside, hn::Le(key, at));
    if (shape_.window == 0) return past;
    const Vector window = hn::Set(d, static_cast<float>(shape_.window));
    return hn::And(past, hn::Gt(key, hn::Sub(at, window)));
  }

  // dqueries_[dim][row] += keys^T · dscores.
  void add_query_gradients(Range keys, std::int64_t panel) {
    const std::int64_t parts = ceil_div(dim_, kTileRows);
    for (std::int64_t t = 0; t < parts; ++t) {
      const Range dims = part_of(dim_, parts, t);
      tile_function(dims.size())(transposed_keys_ + dims.begin * kDepthStride + keys.begin,
                                 dscore_panel_ + keys.begin * kPanelCols, keys.size(),
                                 dqueries_ + dims.begin * kDepthStride + panel * kPanelCols,
                                 kDepthStride, Start::kContinue, {});
    }
  }

  // to[key] += factors[key][rows] · (the rows of `panels`), over the rows of the panels that the
  // key's part was visible to.
  void add_key_gradients(const float* factors, const float* panels, const Matrix& to) const {
    const std::int64_t num_rows = num_panels_ * kPanelCols;
    const float* plain = panels + num_rows * padded_dim_;
    for (std::int64_t i = 0; i < dim_; i += kPanelCols, plain += num_rows * kPanelCols) {
      for (std::int64_t t = 0; t < num_parts_; ++t) {
        const Range rows{part_panels_[t].begin * kPanelCols, part_panels_[t].end * kPanelCols};
        if (rows.begin >= rows.end) continue;
        const Range keys = part(t);
        add_rectangle(factors + keys.begin * kDepthStride + rows.begin,
                      plain + rows.begin * kPanelCols, rows.size(),
                      {to.row(tile_.row + keys.begin) + kv_head_ * dim_ + i, keys.size(),
                       std::min(kPanelCols, dim_ - i), to.stride});
      }
    }
  }

  // to += a · b; `to` may be narrower than a panel.
  static void add_rectangle(const float* a, const float* b, std::int64_t depth, const Matrix& to) {
    const TileFunction multiply = tile_function(to.rows);
    if (to.cols == kPanelCols) {
      multiply(a, b, depth, to.data, to.stride, Start::kContinue, {});
      return;
    }
    HWY_ALIGN float wide[kTileRows * kPanelCols] = {};
    for (std::int64_t r = 0; r < to.rows; ++r)
      std::copy_n(to.row(r), to.cols, wide + r * kPanelCols);
    multiply(a, b, depth, wide, kPanelCols, Start::kContinue, {});
    for (std::int64_t r = 0; r < to.rows; ++r)
      std::copy_n(wide + r * kPanelCols, to.cols, to.row(r));
  }

  BackwardTask& task_;
  const AttentionShape& shape_;
  std::int64_t group_ = 0;
  std::int64_t dim_ = 0;
  std::int64_t padded_dim_ = 0;
  std::int64_t num_chunks_ = 0;

  const GradientStep* step_ = nullptr;
  std::int64_t kv_head_ = 0;
  std::int64_t num_panels_ = 0;  // of kPanelCols query rows
  KeyTile tile_;
  std::int64_t num_parts_ = 0;
  Range part_panels_[kMaxTileKeys];  // panels that were done with each part of the keys

  Place places_[kMaxStepRows];  // of each row in q and its like
  HWY_ALIGN float positions_[kMaxStepRows] = {};
  HWY_ALIGN float log_sums_[kMaxStepRows];
  HWY_ALIGN float means_[kMaxStepRows];  // dout · out
  float* stage_ = nullptr;
  float* queries_ = nullptr;          // scaled, see make_panels()
  float* douts_ = nullptr;            // likewise
  float* keys_ = nullptr;             // see load()
  float* values_ = nullptr;           // likewise
  float* transposed_keys_ = nullptr;  // [dim, kDepthStride]
  float* weights_ = nullptr;          // [key, kDepthStride]: column r is query row r
  float* dscores_ = nullptr;          // likewise
  float* dscore_panel_ = nullptr;     // [key, kPanelCols], of one panel
  float* dqueries_ = nullptr;         // [dim, kDepthStride]: column r is query row r
};

// Takes steps in their order until none is left. A step waits for earlier ones only, and those are
// with threads that are at work, so there is always one that goes on.
void take_steps(BackwardTask& task) {
  StepRunner runner(task);
  const auto num_heads = static_cast<std::size_t>(task.shape.num_kv_heads);
  const std::size_t count = task.plan.steps.size() * num_heads;
  for (std::size_t i = task.next_step++; i < count; i = task.next_step++)
    runner.run(task.plan.steps[i / num_heads], static_cast<std::int64_t>(i % num_heads));
}

}  // namespace laurel::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace laurel::kernels {

HWY_EXPORT(take_steps);

namespace {

// Below this many multiply-adds per thread, waking a thread costs more than it saves.
constexpr std::int64_t kMinCostPerThread = 1 << 20;

void clear(const Matrix& matrix, ThreadPool& pool) {
  pool.parallel_for(matrix.rows, 64, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t r = begin; r < end; ++r) std::fill_n(matrix.row(r), matrix.cols, 0.0f);
  });
}

}  // namespace

void forest_attention_backward(const AttentionInputs& inputs,
                               std::span<const AttentionSegment> segments,
                               std::span<const QueryRun> runs, const AttentionShape& shape,
                               const AttentionGradients& gradients, ThreadPool& pool) {
  const OpTimer timer("forest_attention backward", [&] {
    const auto query_dims = static_cast<double>(shape.num_heads * shape.head_dim);
    OpWork work = moved(inputs.q.rows * inputs.q.cols, 4);  // q, out, dout, dq
    work.bytes += moved(inputs.k.rows * inputs.k.cols, 4).bytes;
    work.flops = 10 * query_dims * visible_pairs(segments, runs, shape.window);
    return work;
  });
  clear(gradients.dk, pool);
  clear(gradients.dv, pool);
  BackwardTask task{inputs, shape, gradients, plan_attention_backward(segments, runs, shape)};
  const auto take = LAUREL_DISPATCH(take_steps);
  const std::int64_t threads = std::clamp<std::int64_t>(
      task.plan.cost * shape.num_kv_heads / kMinCostPerThread, 1, pool.num_threads());
  pool.parallel_for(threads, 1, [&](std::int64_t, std::int64_t, int) { take(task); });
}

}  // namespace laurel::kernels
#endif
