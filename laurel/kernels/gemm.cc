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

// Bytes of a block's expanded b that stay in the second-level cache: well inside a small one, half
// of what rows and sums leave of a large one.
inline std::int64_t second_level_panel_bytes() {
  constexpr std::int64_t kLeast = 384 * 1024, kOthers = 256 * 1024;
  static const std::int64_t bytes =
      std::max(kLeast, (std::int64_t{::sysconf(_SC_LEVEL2_CACHE_SIZE)} - kOthers) / 2);
  return bytes;
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

// Which operand stays in the first-level cache. The large tile of many registers is a long way
// through a panel: its rows stay there, and panels come from the second level. A small tile leaves
// its rows after each panel: the panel stays, and a group of tiles comes from the second level.
constexpr bool kRowsStay = kManyRegisters;
constexpr std::int64_t kGroupTiles = kRowsStay ? 1 : 21;
constexpr std::int64_t kMaxBlockRows = 1024;  // bounds the partial sums
constexpr std::int64_t kTileFloats = kTileRows * kPanelCols;
constexpr std::int64_t kPanelStride = kMaxDepth * kPanelCols;
// Panels that are made from the same stored rows, where b lies as it is: rows are read in longer
// runs.
constexpr std::int64_t kWidenedPanels = 8;
// What expanding one panel costs, in rows of multiplying by it.
constexpr std::int64_t kExpandCost = 6;

// Panels of a block: the more, the less often rows are copied.
std::int64_t max_block_panels(std::int64_t depth) {
  constexpr std::int64_t kThirdLevelShare = 1536 * 1024;  // bytes, of one core
  const std::int64_t bytes = kRowsStay ? second_level_panel_bytes() : kThirdLevelShare;
  const std::int64_t panel_bytes =
      std::clamp<std::int64_t>(depth, 1, kMaxDepth) * kPanelCols * std::int64_t{sizeof(float)};
  return std::max<std::int64_t>(1, bytes / panel_bytes);
}

// Deals the rows of the next group to this group's calls of the tile, as evenly as can be.
class RowsAhead {
 public:
  RowsAhead(const ConstMatrix& a, Range rows, std::int64_t first_col, std::int64_t num_calls)
      : next_(rows.size() > 0 ? a.row(rows.begin) + first_col : nullptr),
        stride_(a.stride),
        num_rows_(rows.size()),
        num_calls_(num_calls) {}

  Ahead of_next_call() {
    Ahead ahead{next_, stride_, 0};
    for (credit_ += num_rows_; credit_ >= num_calls_; credit_ -= num_calls_) ++ahead.rows;
    next_ += ahead.rows * stride_;
    return ahead;
  }

 private:
  const float* next_;
  std::int64_t stride_;
  std::int64_t num_rows_;
  std::int64_t num_calls_;
  std::int64_t credit_ = 0;  // below num_calls_
};

// One block of c, rows × columns, over all of the depth.
class Block {
 public:
  Block(const Product& product, Range rows, Range cols)
      : product_(product), rows_(rows), cols_(cols) {
    num_tiles_ = ceil_div(rows.size(), kTileRows);
    num_groups_ = ceil_div(num_tiles_, kGroupTiles);
    num_panels_ = ceil_div(cols.size(), kPanelCols);
    height_ = ceil_div(rows.size(), num_tiles_);
    num_high_ = rows.size() - num_tiles_ * (height_ - 1);
    high_tile_ = tile_function(height_);
    low_tile_ = tile_function(std::max<std::int64_t>(1, height_ - 1));
  }

  void compute() {
    const std::int64_t depth = product_.depth;
    const std::int64_t multiple =
        std::max<std::int64_t>(8, dtype_info(product_.b.dtype).block_elements);
    const std::int64_t num_steps =
        std::max<std::int64_t>(1, ceil_div(depth, kMaxDepth / multiple * multiple));
    const std::int64_t step = round_up(ceil_div(depth, num_steps), multiple);
    static thread_local Scratch row_memory, panel_memory, sum_memory;
    group_rows_ = row_memory.get(std::min(num_tiles_, kGroupTiles) * kTileRows * kDepthStride);
    kept_panels_ = num_groups_ > 1 ? num_panels_ : std::min(num_panels_, kWidenedPanels);
    panels_ = panel_memory.get(kept_panels_ * kPanelStride);
    many_steps_ = num_steps > 1;
    sums_ = sum_memory.get((many_steps_ ? num_tiles_ * num_panels_ : 1) * kTileFloats);
    std::int64_t k = 0;
    do {
      const Range part{k, std::min(k + step, depth)};
      for (std::int64_t group = 0; group < num_groups_; ++group) multiply_group(group, part);
      k = part.end;
    } while (k < depth);
  }

 private:
  const unsigned char* stored(std::int64_t row, std::int64_t col) const {
    return static_cast<const unsigned char*>(product_.b.data) +
           dtype_bytes(product_.b.dtype, row * product_.b.stride + col);
  }

  float* panel(std::int64_t p) const { return panels_ + p % kept_panels_ * kPanelStride; }

  Range panel_cols(std::int64_t p) const {
    const std::int64_t begin = cols_.begin + p * kPanelCols;
    return {begin, std::min(begin + kPanelCols, cols_.end)};
  }

  // Panel p, where b lies as it is some after it, too.
  void expand(std::int64_t p, Range k) {
    const DType dtype = product_.b.dtype;
    const std::int64_t row_bytes = dtype_bytes(dtype, product_.b.stride);
    const Range cols = panel_cols(p);
    if (product_.b_layout == Layout::kTransposed) {
      const StoredRows rows{stored(cols.begin, k.begin), row_bytes, cols.size()};
      expand_panel(dtype, rows, k.size(), panel(p));
    } else if (p % kWidenedPanels == 0) {
      const StoredRows rows{stored(k.begin, cols.begin), row_bytes, k.size()};
      const std::int64_t end = std::min(cols_.end, cols.begin + kWidenedPanels * kPanelCols);
      widen_panels(dtype, rows, end - cols.begin, panel(p), kPanelStride);
    }
  }

  // Rows of tiles [begin, end): the first num_high_ tiles have height_ rows, the others one less.
  Range rows_of(Range tiles) const {
    const auto row = [&](std::int64_t tile) {
      return rows_.begin + tile * height_ - std::max<std::int64_t>(0, tile - num_high_);
    };
    return {row(tiles.begin), row(tiles.end)};
  }
  Range tile_rows(std::int64_t tile) const { return rows_of({tile, tile + 1}); }

  Range group_tiles(std::int64_t group) const { return part_of(num_tiles_, num_groups_, group); }

  // What the next tile is going to be written to.
  void prefetch_result(Range rows, Range cols) const {
    for (std::int64_t r = rows.begin; r < rows.end; ++r) {
      const float* c = product_.c.row(r);
      hwy::Prefetch(c + cols.begin);
      hwy::Prefetch(c + cols.end - 1);
    }
  }

  // Partial sums lie in the order in which tiles are multiplied.
  float* sums_of(std::int64_t p, std::int64_t tile) const {
    if (!many_steps_) return sums_;
    return sums_ + (kRowsStay ? tile * num_panels_ + p : p * num_tiles_ + tile) * kTileFloats;
  }

  // Rows of a power of two of bytes fall into the same cache sets; copies do not.
  void load_rows(Range tiles, Range k) {
    const auto bytes = static_cast<std::size_t>(k.size()) * sizeof(float);
    for (std::int64_t t = tiles.begin; t < tiles.end; ++t) {
      const Range rows = tile_rows(t);
      float* to = group_rows_ + (t - tiles.begin) * kTileRows * kDepthStride;
      for (std::int64_t r = rows.begin; r < rows.end; ++r, to += kDepthStride)
        std::memcpy(to, product_.a.row(r) + k.begin, bytes);
    }
  }

  void multiply_group(std::int64_t group, Range k) {
    const Range tiles = group_tiles(group);
    const Range next_rows = group + 1 < num_groups_ ? rows_of(group_tiles(group + 1)) : Range{};
    RowsAhead rows_ahead(product_.a, next_rows, k.begin, num_panels_ * tiles.size());
    load_rows(tiles, k);
    for (std::int64_t p = 0; p < num_panels_; ++p) {
      if (group == 0) expand(p, k);
      multiply_panel(tiles, p, k, rows_ahead);
    }
  }

  void multiply_panel(Range tiles, std::int64_t p, Range k, RowsAhead& rows_ahead) {
    const bool last = k.end == product_.depth;
    const Start start = k.begin == 0 ? Start::kZero : Start::kContinue;
    const Range cols = panel_cols(p);
    const float* b = panel(p);
    const float* a = group_rows_;
    for (std::int64_t t = tiles.begin; t < tiles.end; ++t, a += kTileRows * kDepthStride) {
      if (last && t + 1 < tiles.end) prefetch_result(tile_rows(t + 1), cols);
      float* sums = sums_of(p, t);
      (t < num_high_ ? high_tile_ : low_tile_)(a, b, k.size(), sums, kPanelCols, start,
                                               rows_ahead.of_next_call());
      if (last) finish(tile_rows(t), cols, sums);
    }
  }

  // Adds bias and the old c to complete sums.
  void finish(Range rows, Range cols, const float* sums) {
    const bool adds = product_.bias != nullptr || product_.result == Result::kAdd;
    if (!adds && cols.size() == kPanelCols) return copy_sums(rows, cols, sums);
    const float* bias = product_.bias != nullptr ? product_.bias + cols.begin : nullptr;
    for (std::int64_t r = rows.begin; r < rows.end; ++r) {
      float* c = product_.c.row(r) + cols.begin;
      finish_row(sums + (r - rows.begin) * kPanelCols, bias, cols.size(), c);
    }
  }

  void copy_sums(Range rows, Range cols, const float* sums) {
    const F32 d;
    for (std::int64_t r = rows.begin; r < rows.end; ++r, sums += kPanelCols) {
      float* c = product_.c.row(r) + cols.begin;
      hn::StoreU(hn::LoadU(d, sums), d, c);
      hn::StoreU(hn::LoadU(d, sums + kLanes), d, c + kLanes);
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
  std::int64_t num_groups_ = 0;
  std::int64_t num_panels_ = 0;
  std::int64_t height_ = 0;  // of the first num_high_ tiles; of the others one less
  std::int64_t num_high_ = 0;
  TileFunction high_tile_ = nullptr;
  TileFunction low_tile_ = nullptr;
  bool many_steps_ = false;
  std::int64_t kept_panels_ = 0;
  float* group_rows_ = nullptr;  // [tile of the group, kTileRows, kDepthStride]
  float* panels_ = nullptr;      // [kept_panels_, kPanelStride]
  float* sums_ = nullptr;        // [kTileRows, kPanelCols] of each tile and panel between steps
};

void multiply_share(const Product& product, Range rows, Range panels) {
  const std::int64_t block_panels = max_block_panels(product.depth);
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
  LAUREL_DISPATCH(multiply_threads)(product, pool);
}

}  // namespace laurel::kernels
#endif
