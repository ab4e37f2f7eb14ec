// y = x · Wᵀ. Weights stay as they are stored; a block of them is expanded to float32 panels that
// stay in the second-level cache while all rows use it. See docs/design/kernels.md.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "laurel/kernels/ops.h"
#include "laurel/kernels/parameter.h"
#include "laurel/kernels/partition.h"
#include "laurel/kernels/scratch.h"
#include "laurel/kernels/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "laurel/kernels/linear.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "laurel/kernels/tile-inl.h"

#ifndef LAUREL_KERNELS_LINEAR_CC_
#define LAUREL_KERNELS_LINEAR_CC_
namespace laurel::kernels {

struct LinearTask {
  ConstMatrix x;
  Weight weight;
  const float* bias = nullptr;  // float32, or null
  Matrix y;
  Accumulate accumulate = Accumulate::kNo;
};

}  // namespace laurel::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace laurel::kernels::HWY_NAMESPACE {

constexpr std::int64_t kPanelFloats = 96 * 1024;  // expanded weights: well inside an L2 cache
constexpr std::int64_t kMaxBlockRows = 512;       // bounds the partial sums
constexpr std::int64_t kTileFloats = kTileRows * kPanelCols;
// What expanding one panel costs, in rows of multiplying by it.
constexpr std::int64_t kExpandCost = 6;
// Waking a thread costs more than this many multiply-adds.
constexpr std::int64_t kMinWorkPerThread = 1 << 20;

// One thread's share of y in blocks of rows × columns; each block sums over all of K.
class Block {
 public:
  Block(const LinearTask& task, Range rows, Range cols) : task_(task), rows_(rows), cols_(cols) {
    num_tiles_ = ceil_div(rows.size(), kTileRows);
    num_panels_ = ceil_div(cols.size(), kPanelCols);
  }

  void compute() {
    const std::int64_t depth = task_.weight.in_features;
    const std::int64_t num_steps = std::max<std::int64_t>(1, ceil_div(depth, kMaxDepth));
    const std::int64_t step = round_up(ceil_div(depth, num_steps), 8);
    static thread_local Scratch panel_memory, sum_memory;
    panels_ = panel_memory.get(num_panels_ * kPanelCols * kMaxDepth);
    sums_ = sum_memory.get((num_steps > 1 ? num_tiles_ * num_panels_ : 1) * kTileFloats);
    many_steps_ = num_steps > 1;
    std::int64_t k = 0;
    do {
      const Range part{k, std::min(k + step, depth)};
      expand(part);
      for (std::int64_t tile = 0; tile < num_tiles_; ++tile) multiply(tile, part);
      k = part.end;
    } while (k < depth);
  }

 private:
  void expand(Range k) {
    const Weight& w = task_.weight;
    const std::int64_t element = dtype_size(w.dtype);
    for (std::int64_t p = 0; p < num_panels_; ++p) {
      const std::int64_t col = cols_.begin + p * kPanelCols;
      const StoredRows stored{
          static_cast<const unsigned char*>(w.data) + (col * w.in_features + k.begin) * element,
          w.in_features * element, std::min(kPanelCols, cols_.end - col)};
      expand_panel(w.dtype, stored, k.size(), panels_ + p * kPanelCols * kMaxDepth);
    }
  }

  void multiply(std::int64_t tile, Range k) {
    const Range rows = part_of(rows_.size(), num_tiles_, tile);
    HWY_ALIGN float a[kTileRows * kDepthStride];
    for (std::int64_t r = 0; r < rows.size(); ++r) {
      std::memcpy(a + r * kDepthStride, task_.x.row(rows_.begin + rows.begin + r) + k.begin,
                  static_cast<std::size_t>(k.size()) * sizeof(float));
    }
    const TileFunction multiply_rows = tile_function(rows.size());
    for (std::int64_t p = 0; p < num_panels_; ++p) {
      float* sums = sums_ + (many_steps_ ? (tile * num_panels_ + p) * kTileFloats : 0);
      multiply_rows(a, panels_ + p * kPanelCols * kMaxDepth, k.size(), sums, kPanelCols,
                    k.begin == 0 ? Start::kZero : Start::kContinue);
      if (k.end == task_.weight.in_features) finish(rows, p, sums);
    }
  }

  // Adds bias and the old y to complete sums.
  void finish(Range rows, std::int64_t panel, const float* sums) {
    const std::int64_t col = cols_.begin + panel * kPanelCols;
    const std::int64_t num_cols = std::min(kPanelCols, cols_.end - col);
    const float* bias = task_.bias != nullptr ? task_.bias + col : nullptr;
    for (std::int64_t r = 0; r < rows.size(); ++r) {
      float* y = task_.y.row(rows_.begin + rows.begin + r) + col;
      finish_row(sums + r * kPanelCols, bias, num_cols, y);
    }
  }

  void finish_row(const float* sums, const float* bias, std::int64_t num_cols, float* y) {
    const F32 d;
    std::int64_t c = 0;
    for (; c + kLanes <= num_cols; c += kLanes) {
      Vector v = hn::LoadU(d, sums + c);
      if (bias != nullptr) v = hn::Add(v, hn::LoadU(d, bias + c));
      if (task_.accumulate == Accumulate::kYes) v = hn::Add(v, hn::LoadU(d, y + c));
      hn::StoreU(v, d, y + c);
    }
    for (; c < num_cols; ++c) {
      float v = sums[c];
      if (bias != nullptr) v += bias[c];
      if (task_.accumulate == Accumulate::kYes) v += y[c];
      y[c] = v;
    }
  }

  const LinearTask& task_;
  Range rows_;
  Range cols_;
  std::int64_t num_tiles_ = 0;
  std::int64_t num_panels_ = 0;
  bool many_steps_ = false;
  float* panels_ = nullptr;
  float* sums_ = nullptr;
};

void linear_share(const LinearTask& task, Range rows, Range panels) {
  const std::int64_t depth = std::min(task.weight.in_features, kMaxDepth);
  const std::int64_t block_panels =
      std::max<std::int64_t>(1, kPanelFloats / (std::max<std::int64_t>(1, depth) * kPanelCols));
  const std::int64_t num_row_blocks = ceil_div(rows.size(), kMaxBlockRows);
  const std::int64_t num_col_blocks = ceil_div(panels.size(), block_panels);
  for (std::int64_t i = 0; i < num_row_blocks; ++i) {
    const Range r = part_of(rows.size(), num_row_blocks, i);
    for (std::int64_t j = 0; j < num_col_blocks; ++j) {
      const Range p = part_of(panels.size(), num_col_blocks, j);
      const Range cols{(panels.begin + p.begin) * kPanelCols,
                       std::min((panels.begin + p.end) * kPanelCols, task.weight.out_features)};
      Block(task, {rows.begin + r.begin, rows.begin + r.end}, cols).compute();
    }
  }
}

void linear_threads(const LinearTask& task, ThreadPool& pool) {
  const std::int64_t num_panels = ceil_div(task.weight.out_features, kPanelCols);
  const std::int64_t work =
      (task.x.rows + kExpandCost) * task.weight.out_features * task.weight.in_features;
  const std::int64_t num_threads =
      std::clamp<std::int64_t>(work / kMinWorkPerThread, 1, pool.num_threads());
  const Grid grid = best_grid(task.x.rows, num_panels, kExpandCost, num_threads);
  pool.parallel_for(
      grid.row_parts * grid.col_parts, 1, [&](std::int64_t begin, std::int64_t end, int) {
        for (std::int64_t part = begin; part < end; ++part) {
          linear_share(task, part_of(task.x.rows, grid.row_parts, part / grid.col_parts),
                       part_of(num_panels, grid.col_parts, part % grid.col_parts));
        }
      });
}

}  // namespace laurel::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace laurel::kernels {

HWY_EXPORT(linear_threads);

void linear(ConstMatrix x, const Weight& weight, const VectorParameter& bias, Matrix y,
            Accumulate accumulate, ThreadPool& pool) {
  if (x.rows == 0 || weight.out_features == 0) return;
  std::vector<float> bias_values;
  if (bias.data != nullptr) bias_values = load_vector(bias.data, bias.dtype, bias.size);
  const LinearTask task{x, weight, bias.data != nullptr ? bias_values.data() : nullptr, y,
                        accumulate};
  HWY_DYNAMIC_DISPATCH(linear_threads)(task, pool);
}

}  // namespace laurel::kernels
#endif
