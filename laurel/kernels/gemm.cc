#include "laurel/kernels/gemm.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "hwy/cache_control.h"
#include "laurel/kernels/partition.h"
#include "laurel/kernels/scratch.h"
#include "laurel/kernels/simd.h"

#ifndef LAUREL_GEMM_ONCE
#define LAUREL_GEMM_ONCE
namespace laurel::kernels {

// Floats of a block's expanded b: well inside a second-level cache, half of what rows and sums
// leave of a large one. The more, the less often rows are copied.
inline std::int64_t panel_floats() {
  constexpr std::int64_t kLeast = 384 * 1024, kOthers = 256 * 1024;  // bytes
  static const std::int64_t bytes =
      std::max(kLeast, (std::int64_t{::sysconf(_SC_LEVEL2_CACHE_SIZE)} - kOthers) / 2);
  return bytes / std::int64_t{sizeof(float)};
}

}  // namespace laurel::kernels
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "laurel/kernels/gemm.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "laurel/kernels/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace laurel::kernels::HWY_NAMESPACE {

constexpr std::int64_t kMaxBlockRows = 512;  // bounds the partial sums
constexpr std::int64_t kTileFloats = kTileRows * kPanelCols;
constexpr std::int64_t kPanelStride = kMaxDepth * kPanelCols;
// What expanding one panel costs, in rows of multiplying by it.
constexpr std::int64_t kExpandCost = 6;

// One block of c, rows × columns, over all of the depth.
class Block {
 public:
  Block(const Product& product, Range rows, Range cols)
      : product_(product), rows_(rows), cols_(cols) {
    num_tiles_ = ceil_div(rows.size(), kTileRows);
    num_panels_ = ceil_div(cols.size(), kPanelCols);
    // Nothing comes after the chain: c itself holds the partial sums.
    in_place_ = product.result == Result::kReplace && product.bias == nullptr;
  }

  void compute() {
    const std::int64_t depth = product_.depth;
    const std::int64_t multiple =
        std::max<std::int64_t>(8, dtype_info(product_.b.dtype).block_elements);
    const std::int64_t num_steps =
        std::max<std::int64_t>(1, ceil_div(depth, kMaxDepth / multiple * multiple));
    const std::int64_t step = round_up(ceil_div(depth, num_steps), multiple);
    static thread_local Scratch panel_memory, sum_memory;
    panels_ = panel_memory.get(num_panels_ * kPanelStride);
    many_steps_ = num_steps > 1;
    sums_ =
        sum_memory.get((many_steps_ && !in_place_ ? num_tiles_ * num_panels_ : 1) * kTileFloats);
    std::int64_t k = 0;
    do {
      const Range part{k, std::min(k + step, depth)};
      expand(part);
      for (std::int64_t tile = 0; tile < num_tiles_; ++tile) multiply_tile(tile, part);
      k = part.end;
    } while (k < depth);
  }

 private:
  const unsigned char* stored(std::int64_t row, std::int64_t col) const {
    return static_cast<const unsigned char*>(product_.b.data) +
           dtype_bytes(product_.b.dtype, row * product_.b.stride + col);
  }

  void expand(Range k) {
    const DType dtype = product_.b.dtype;
    const std::int64_t row_bytes = dtype_bytes(dtype, product_.b.stride);
    if (product_.b_layout == Layout::kAsIs) {
      widen_panels(dtype, {stored(k.begin, cols_.begin), row_bytes, k.size()}, cols_.size(),
                   panels_, kPanelStride);
      return;
    }
    for (std::int64_t p = 0; p < num_panels_; ++p) {
      const std::int64_t col = cols_.begin + p * kPanelCols;
      const StoredRows rows{stored(col, k.begin), row_bytes, std::min(kPanelCols, cols_.end - col)};
      expand_panel(dtype, rows, k.size(), panels_ + p * kPanelStride);
    }
  }

  Range tile_rows(std::int64_t tile) const {
    const Range part = part_of(rows_.size(), num_tiles_, tile);
    return {rows_.begin + part.begin, rows_.begin + part.end};
  }

  // A share of the next tile's rows for each panel of this one: they come from beyond the second
  // level, where a block's panels have been since.
  void prefetch_rows(Range rows, Range k, std::int64_t panel) const {
    constexpr std::int64_t kLineFloats = 16;
    const Range share = part_of(rows.size(), num_panels_, panel);
    for (std::int64_t r = share.begin; r < share.end; ++r) {
      const float* row = product_.a.row(rows.begin + r);
      for (std::int64_t i = k.begin; i < k.end; i += kLineFloats)
        __builtin_prefetch(row + i, 0, 2);  // second level: the first holds this tile's
    }
  }

  // The partial sums of the next panel, which are in c.
  void prefetch_result(Range rows, std::int64_t col) const {
    for (std::int64_t r = rows.begin; r < rows.end; ++r) {
      const float* c = product_.c.row(r) + col;
      hwy::Prefetch(c);
      hwy::Prefetch(c + std::min(kPanelCols, product_.c.cols - col) - 1);
    }
  }

  void load_rows(Range rows, Range k, float* to) const {
    for (std::int64_t r = rows.begin; r < rows.end; ++r, to += kDepthStride)
      std::memcpy(to, product_.a.row(r) + k.begin,
                  static_cast<std::size_t>(k.size()) * sizeof(float));
  }

  void multiply_tile(std::int64_t tile, Range k) {
    const Range rows = tile_rows(tile);
    HWY_ALIGN float a[kTileRows * kDepthStride];
    load_rows(rows, k, a);
    const TileFunction function = tile_function(rows.size());
    const Start start = k.begin == 0 ? Start::kZero : Start::kContinue;
    for (std::int64_t p = 0; p < num_panels_; ++p) {
      const float* panel = panels_ + p * kPanelStride;
      const Range cols{cols_.begin + p * kPanelCols,
                       std::min(cols_.end, cols_.begin + (p + 1) * kPanelCols)};
      if (tile + 1 < num_tiles_) prefetch_rows(tile_rows(tile + 1), k, p);
      if (in_place_) {
        if (p + 1 < num_panels_) prefetch_result(rows, cols.end);
        multiply_in_place(function, a, panel, k.size(), start, rows, cols);
        continue;
      }
      float* sums = sums_ + (many_steps_ ? (tile * num_panels_ + p) * kTileFloats : 0);
      function(a, panel, k.size(), sums, kPanelCols, start);
      if (k.end == product_.depth) finish(rows, cols, sums);
    }
  }

  // The last panel may have fewer columns than a tile, which then takes a detour.
  void multiply_in_place(TileFunction function, const float* a, const float* panel,
                         std::int64_t depth, Start start, Range rows, Range cols) {
    float* c = product_.c.row(rows.begin) + cols.begin;
    const std::int64_t stride = product_.c.stride;
    if (cols.size() == kPanelCols) return function(a, panel, depth, c, stride, start);
    for (std::int64_t r = 0; start == Start::kContinue && r < rows.size(); ++r)
      std::copy_n(c + r * stride, cols.size(), sums_ + r * kPanelCols);
    function(a, panel, depth, sums_, kPanelCols, start);
    for (std::int64_t r = 0; r < rows.size(); ++r)
      std::copy_n(sums_ + r * kPanelCols, cols.size(), c + r * stride);
  }

  // Adds bias and the old c to complete sums.
  void finish(Range rows, Range cols, const float* sums) {
    const float* bias = product_.bias != nullptr ? product_.bias + cols.begin : nullptr;
    for (std::int64_t r = rows.begin; r < rows.end; ++r) {
      float* c = product_.c.row(r) + cols.begin;
      finish_row(sums + (r - rows.begin) * kPanelCols, bias, cols.size(), c);
    }
  }

  void finish_row(const float* sums, const float* bias, std::int64_t num_cols, float* c) {
    const F32 d;
    const bool add = product_.result == Result::kAdd;
    std::int64_t i = 0;
    for (; i + kLanes <= num_cols; i += kLanes) {
      Vector v = hn::LoadU(d, sums + i);
      if (bias != nullptr) v = hn::Add(v, hn::LoadU(d, bias + i));
      if (add) v = hn::Add(v, hn::LoadU(d, c + i));
      hn::StoreU(v, d, c + i);
    }
    for (; i < num_cols; ++i) {
      float v = sums[i];
      if (bias != nullptr) v += bias[i];
      if (add) v += c[i];
      c[i] = v;
    }
  }

  const Product& product_;
  Range rows_;
  Range cols_;
  std::int64_t num_tiles_ = 0;
  std::int64_t num_panels_ = 0;
  bool in_place_ = false;
  bool many_steps_ = false;
  float* panels_ = nullptr;
  float* sums_ = nullptr;
};

void multiply_share(const Product& product, Range rows, Range panels) {
  const std::int64_t depth = std::clamp<std::int64_t>(product.depth, 1, kMaxDepth);
  const std::int64_t block_panels =
      std::max<std::int64_t>(1, panel_floats() / (depth * kPanelCols));
  const std::int64_t num_row_blocks = ceil_div(rows.size(), kMaxBlockRows);
  const std::int64_t num_col_blocks = ceil_div(panels.size(), block_panels);
  for (std::int64_t i = 0; i < num_row_blocks; ++i) {
    const Range r = part_of(rows.size(), num_row_blocks, i);
    for (std::int64_t j = 0; j < num_col_blocks; ++j) {
      const Range p = part_of(panels.size(), num_col_blocks, j);
      const Range cols{(panels.begin + p.begin) * kPanelCols,
                       std::min((panels.begin + p.end) * kPanelCols, product.c.cols)};
      Block(product, {rows.begin + r.begin, rows.begin + r.end}, cols).compute();
    }
  }
}

void multiply_threads(const Product& product, ThreadPool& pool) {
  const std::int64_t rows = product.c.rows;
  const std::int64_t num_panels = ceil_div(product.c.cols, kPanelCols);
  const std::int64_t work = (rows + kExpandCost) * product.c.cols * product.depth;
  for_each_part(rows, num_panels, kExpandCost, {work}, pool,
                [&](Range part, Range panels) { multiply_share(product, part, panels); });
}

}  // namespace laurel::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace laurel::kernels {

HWY_EXPORT(multiply_threads);

void multiply(const Product& product, ThreadPool& pool) {
  if (product.c.rows == 0 || product.c.cols == 0) return;
  HWY_DYNAMIC_DISPATCH(multiply_threads)(product, pool);
}

}  // namespace laurel::kernels
#endif
