// dw += dyᵀ · x, a product whose depth is the rows of the pack. Unlike those of gemm.cc it adds in
// place, so that the loop over the depth can be an outer one: each factor is then brought into the
// tile's form only once.
#include <algorithm>
#include <cstdint>

#include "hwy/cache_control.h"
#include "laurel/kernels/backward.h"
#include "laurel/kernels/op_clock.h"
#include "laurel/kernels/partition.h"
#include "laurel/kernels/scratch.h"
#include "laurel/kernels/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "laurel/kernels/linear_weight_gradient.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "laurel/kernels/tile-inl.h"

#ifndef LAUREL_KERNELS_LINEAR_WEIGHT_GRADIENT_CC_
#define LAUREL_KERNELS_LINEAR_WEIGHT_GRADIENT_CC_
namespace laurel::kernels {

struct WeightGradientTask {
  ConstMatrix dy;
  ConstMatrix x;
  Matrix dw;
};

}  // namespace laurel::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace laurel::kernels::HWY_NAMESPACE {

constexpr std::int64_t kMaxStripRows = 256;  // of dw: their columns of dy stay in an L2 cache
constexpr std::int64_t kStep = 384;
constexpr std::int64_t kMaxStripCols = 2048;             // of dw: bounds the panels of x
constexpr std::int64_t kGroupPanels = 256 / kPanelCols;  // prepared at a time
constexpr std::int64_t kPanelStride = kStep * kPanelCols;
// Columns of dy for one tile; not a multiple of the distance at which addresses share a cache set.
constexpr std::int64_t kColumnsStride = kStep * kColumnStride + 16;
// What preparing a panel costs, in rows of multiplying by it.
constexpr std::int64_t kPrepareCost = 12;

// A share of dw that one thread computes.
class Strip {
 public:
  Strip(const WeightGradientTask& task, Range rows, Range cols)
      : task_(task), rows_(rows), cols_(cols) {
    num_panels_ = ceil_div(cols.size(), kPanelCols);
    num_blocks_ = ceil_div(rows.size(), kMaxStripRows);
    static thread_local Scratch panel_memory, column_memory;
    panels_ = panel_memory.get(num_panels_ * kPanelStride);
    columns_ = column_memory.get(ceil_div(kMaxStripRows, kTileRows) * kColumnsStride);
  }

  void compute() {
    const std::int64_t depth = task_.dy.rows;
    const std::int64_t num_steps = ceil_div(depth, kStep);
    for (std::int64_t step = 0; step < num_steps; ++step) {
      depth_ = part_of(depth, num_steps, step);
      for (std::int64_t block = 0; block < num_blocks_; ++block) add_block(block);
    }
  }

 private:
  void add_block(std::int64_t block) {
    const Range part = part_of(rows_.size(), num_blocks_, block);
    block_ = {rows_.begin + part.begin, rows_.begin + part.end};
    num_tiles_ = ceil_div(block_.size(), kTileRows);
    load_columns();
    for (std::int64_t p = 0; p < num_panels_; p += kGroupPanels) {
      const Range group{p, std::min(p + kGroupPanels, num_panels_)};
      if (block == 0) load_panels(group);
      for (std::int64_t tile = 0; tile < num_tiles_; ++tile) add_tiles(tile, group);
    }
  }

  Range tile_rows(std::int64_t tile) const {
    const Range part = part_of(block_.size(), num_tiles_, tile);
    return {block_.begin + part.begin, block_.begin + part.end};
  }

  // dy for all tiles of the block, a few rows at a time, which stay in the first-level cache.
  void load_columns() {
    constexpr std::int64_t kRowsAtOnce = 16;
    for (std::int64_t k = 0; k < depth_.size(); k += kRowsAtOnce) {
      const Range part{k, std::min(k + kRowsAtOnce, depth_.size())};
      for (std::int64_t tile = 0; tile < num_tiles_; ++tile)
        load_tile_columns(tile_rows(tile), part, columns_ + tile * kColumnsStride);
    }
  }

  // Whole vectors where the matrix is wide enough: what they read beyond the tile is not used.
  void load_tile_columns(Range rows, Range depth, float* columns) const {
    const F32 d;
    constexpr std::int64_t kWidth = std::min(kColumnStride, kLanes);
    const bool wide = rows.begin + kColumnStride <= task_.dy.cols;
    for (std::int64_t k = depth.begin; k < depth.end; ++k) {
      const float* from = task_.dy.row(depth_.begin + k) + rows.begin;
      float* to = columns + k * kColumnStride;
      if (wide) {
        for (std::int64_t r = 0; r < kColumnStride; r += kWidth)
          hn::Store(hn::LoadU(d, from + r), d, to + r);
      } else {
        std::copy_n(from, rows.size(), to);
      }
    }
  }

  void load_panels(Range group) {
    const std::int64_t col = panel_cols(group.begin).begin;
    const StoredRows rows{reinterpret_cast<const unsigned char*>(task_.x.row(depth_.begin) + col),
                          task_.x.stride * static_cast<std::int64_t>(sizeof(float)), depth_.size()};
    widen_panels(DType::kF32, rows, panel_cols(group.end - 1).end - col,
                 panels_ + group.begin * kPanelStride, kPanelStride);
  }

  // Columns of panel `panel`, in columns of dw.
  Range panel_cols(std::int64_t panel) const {
    const std::int64_t begin = cols_.begin + panel * kPanelCols;
    return {begin, std::min(begin + kPanelCols, cols_.end)};
  }

  // A row of tiles: neighbors in memory, so that the old values come in time.
  void add_tiles(std::int64_t tile, Range group) {
    const Range rows = tile_rows(tile);
    const TileFunction multiply = tile_function(rows.size(), TileInput::kColumns);
    const float* a = columns_ + tile * kColumnsStride;
    for (std::int64_t p = group.begin; p < group.end; ++p) {
      const Range cols = panel_cols(p);
      const float* b = panels_ + p * kPanelStride;
      float* dw = task_.dw.row(rows.begin) + cols.begin;
      if (cols.size() == kPanelCols) {
        prefetch_after(tile, p, group);
        multiply(a, b, depth_.size(), dw, task_.dw.stride, Start::kContinue, {});
      } else {
        add_narrow_tile(multiply, a, b, rows.size(), cols.size(), dw);
      }
    }
  }

  void add_narrow_tile(TileFunction multiply, const float* a, const float* b, std::int64_t rows,
                       std::int64_t cols, float* dw) const {
    HWY_ALIGN float sums[kTileRows * kPanelCols] = {};
    for (std::int64_t r = 0; r < rows; ++r)
      std::copy_n(dw + r * task_.dw.stride, cols, sums + r * kPanelCols);
    multiply(a, b, depth_.size(), sums, kPanelCols, Start::kContinue, {});
    for (std::int64_t r = 0; r < rows; ++r)
      std::copy_n(sums + r * kPanelCols, cols, dw + r * task_.dw.stride);
  }

  // The old values of the tile that comes next: to the right, or at the beginning of the next row.
  void prefetch_after(std::int64_t tile, std::int64_t panel, Range group) const {
    const bool last = panel + 1 == group.end;
    if (last && tile + 1 == num_tiles_) return;
    const Range rows = tile_rows(last ? tile + 1 : tile);
    const Range cols = panel_cols(last ? group.begin : panel + 1);
    for (std::int64_t r = rows.begin; r < rows.end; ++r) {
      hwy::Prefetch(task_.dw.row(r) + cols.begin);
      hwy::Prefetch(task_.dw.row(r) + cols.end - 1);
    }
  }

  const WeightGradientTask& task_;
  Range rows_, cols_;
  Range depth_, block_;  // the current step's rows of dy and x, and rows of dw
  std::int64_t num_panels_ = 0, num_blocks_ = 0, num_tiles_ = 0;
  float* panels_ = nullptr;   // [panel][depth, kPanelCols]
  float* columns_ = nullptr;  // [tile][depth, kColumnStride]
};

void weight_gradient_share(const WeightGradientTask& task, Range rows, Range panels) {
  constexpr std::int64_t kMaxPanels = kMaxStripCols / kPanelCols;
  const std::int64_t num_strips = ceil_div(panels.size(), kMaxPanels);
  for (std::int64_t i = 0; i < num_strips; ++i) {
    const Range part = part_of(panels.size(), num_strips, i);
    const Range cols{(panels.begin + part.begin) * kPanelCols,
                     std::min((panels.begin + part.end) * kPanelCols, task.dw.cols)};
    Strip(task, rows, cols).compute();
  }
}

void weight_gradient_threads(const WeightGradientTask& task, ThreadPool& pool) {
  const std::int64_t rows = task.dw.rows;
  const std::int64_t num_panels = ceil_div(task.dw.cols, kPanelCols);
  const std::int64_t work = (rows + kPrepareCost) * task.dw.cols * task.dy.rows;
  for_each_part(rows, num_panels, kPrepareCost, {work}, pool,
                [&](Range part, Range panels) { weight_gradient_share(task, part, panels); });
}

}  // namespace laurel::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace laurel::kernels {

HWY_EXPORT(weight_gradient_threads);

void linear_weight_gradient(ConstMatrix dy, ConstMatrix x, Matrix dw, ThreadPool& pool) {
  if (dw.rows == 0 || dw.cols == 0 || dy.rows == 0) return;
  const OpTimer timer("linear dw", [&] {
    const auto rows = static_cast<double>(dy.rows);
    const auto in = static_cast<double>(dw.cols), out = static_cast<double>(dw.rows);
    return OpWork{2 * rows * in * out, 4 * (rows * (in + out) + 2 * in * out), dw.cols, dw.rows};
  });
  LAUREL_DISPATCH(weight_gradient_threads)({dy, x, dw}, pool);
}

}  // namespace laurel::kernels
#endif
