// The integer product: register tiles straight from the packed weight.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "laurel/kernels/int8.h"
#include "laurel/kernels/int8_kernels.h"
#include "laurel/kernels/op_clock.h"
#include "laurel/kernels/parameter.h"
#include "laurel/kernels/partition.h"
#include "laurel/kernels/scratch.h"

namespace laurel::kernels {
namespace {

constexpr std::int64_t kBlockBytes = 384 * 1024;  // of weights: well inside a second-level cache
constexpr std::int64_t kMaxBlockRows = 512;       // bounds the partial sums
// Waking a thread costs more than this many multiply-adds.
constexpr std::int64_t kMinWorkPerThread = 1 << 22;
// What loading a panel's weights from afar costs, in rows of multiplying by it.
constexpr std::int64_t kPanelCost = 4;
// What rows that another thread has written cost, as a share of the product.
constexpr double kMovedRowsCost = 1.0 / 32;

struct Int8Product {
  const Int8Matrix& x;
  const Int8Weight& weight;
  const float* scales;              // [out]
  const std::int32_t* weight_sums;  // [out]
  const float* offsets;             // [out], or null
  const float* bias;                // [out], or null
  Matrix y;
  bool add;
};

// One block of y, rows × columns, over all of the depth.
class Block {
 public:
  Block(const Int8Product& product, const Int8Kernels& kernels, Range rows, Range cols)
      : product_(product), kernels_(kernels), rows_(rows), cols_(cols) {
    num_row_tiles_ = ceil_div(rows.size(), kernels.tile_rows);
    num_col_tiles_ = ceil_div(cols.size(), kernels.tile_cols);
    num_groups_ = ceil_div(product.x.cols, kInt8GroupInputs);
    num_steps_ = std::max<std::int64_t>(1, ceil_div(num_groups_, kMaxInt8Depth / kInt8GroupInputs));
    stride_ = num_col_tiles_ * kernels.tile_cols;
  }

  void compute() {
    static thread_local Scratch memory;
    // Sums of a block that is one step deep are finished tile by tile.
    std::int32_t* sums = nullptr;
    if (num_steps_ > 1) sums = reinterpret_cast<std::int32_t*>(memory.get(rows_.size() * stride_));
    for (std::int64_t step = 0; step < num_steps_; ++step) {
      const Range groups = part_of(num_groups_, num_steps_, step);
      for (std::int64_t tile = 0; tile < num_row_tiles_; ++tile) {
        const Range rows = part_of(rows_.size(), num_row_tiles_, tile);
        multiply_tiles(rows, groups, sums != nullptr ? sums + rows.begin * stride_ : nullptr);
      }
    }
  }

 private:
  // One row of tiles. `rows` counts from the block's first; sums: rows stride_ apart, or null where
  // the groups are all there are.
  void multiply_tiles(Range rows, Range groups, std::int32_t* sums) const {
    alignas(64) std::uint8_t a[kMaxInt8TileRows * kInt8RowBytes];
    alignas(64) std::int32_t tile_sums[kMaxInt8TileRows * kMaxInt8TileCols];
    for (std::int64_t r = rows.begin; r < rows.end; ++r) {
      std::copy_n(row(r, groups), groups.size() * kInt8GroupInputs,
                  a + (r - rows.begin) * kInt8RowBytes);
    }
    prefetch_rows({rows.end, std::min(rows.end + kernels_.tile_rows, rows_.size())}, groups);
    const Int8Tile multiply = kernels_.tile(rows.size());
    const Accumulate accumulate = groups.begin == 0 ? Accumulate::kNo : Accumulate::kYes;
    Int8TileEnd end = end_of(rows);
    end.stride = sums != nullptr ? stride_ : kernels_.tile_cols;
    for (std::int64_t t = 0; t < num_col_tiles_; ++t) {
      const std::int64_t col = cols_.begin + t * kernels_.tile_cols;
      std::int32_t* to = sums != nullptr ? sums + t * kernels_.tile_cols : tile_sums;
      multiply(a, packed(groups.begin, col), right_half(groups.begin, col), groups.size(), to,
               end.stride, accumulate);
      if (groups.end == num_groups_)
        finish(to, {col, std::min(col + kernels_.tile_cols, cols_.end)}, end);
    }
  }

  // Of the activations; `r` counts from the block's first.
  const std::uint8_t* row(std::int64_t r, Range groups) const {
    const Int8Matrix& x = product_.x;
    return x.values + (rows_.begin + r) * x.stride + groups.begin * kInt8GroupInputs;
  }

  void prefetch_rows(Range rows, Range groups) const {
    for (std::int64_t r = rows.begin; r < rows.end; ++r) {
      const std::uint8_t* from = row(r, groups);
      for (std::int64_t i = 0; i < groups.size() * kInt8GroupInputs; i += 64)
        __builtin_prefetch(from + i, 0, 2);  // second level: the first holds this tile's
    }
  }

  // Address of a group of inputs at this column.
  const std::int8_t* packed(std::int64_t group, std::int64_t col) const {
    const std::int64_t panel = col / kInt8PanelChannels, within = col % kInt8PanelChannels;
    const std::int64_t place = (panel * num_groups_ + group) * kInt8PanelChannels + within;
    return static_cast<const std::int8_t*>(product_.weight.packed) + place * kInt8GroupInputs;
  }

  // From the left half of the tile at this column to the right one; past the last panel, the left
  // half does its work.
  std::int64_t right_half(std::int64_t group, std::int64_t col) const {
    const std::int64_t right = col + kernels_.tile_cols / 2;
    if (right >= round_up(product_.y.cols, kInt8PanelChannels)) return 0;
    return packed(group, right) - packed(group, col);
  }

  // What the ends of all tiles of these rows have in common.
  Int8TileEnd end_of(Range rows) const {
    Int8TileEnd end;
    end.rows = rows.size();
    end.zero_points = product_.x.zero_points + rows_.begin + rows.begin;
    end.row_scales = product_.x.scales + rows_.begin + rows.begin;
    end.add = product_.add;
    end.y = product_.y.row(rows_.begin + rows.begin);
    end.y_stride = product_.y.stride;
    return end;
  }

  void finish(const std::int32_t* sums, Range cols, Int8TileEnd end) const {
    end.sums = sums;
    end.cols = cols.size();
    end.scales = product_.scales + cols.begin;
    end.weight_sums = product_.weight_sums + cols.begin;
    end.offsets = product_.offsets != nullptr ? product_.offsets + cols.begin : nullptr;
    end.bias = product_.bias != nullptr ? product_.bias + cols.begin : nullptr;
    end.y += cols.begin;
    kernels_.finish_tile(end);
  }

  const Int8Product& product_;
  const Int8Kernels& kernels_;
  Range rows_;
  Range cols_;
  std::int64_t num_row_tiles_ = 0;
  std::int64_t num_col_tiles_ = 0;
  std::int64_t num_groups_ = 0;  // of inputs
  std::int64_t num_steps_ = 0;   // over the depth
  std::int64_t stride_ = 0;      // between rows of sums
};

// `tiles` are tile columns of y.
void multiply_share(const Int8Product& product, const Int8Kernels& kernels, Range rows,
                    Range tiles) {
  const std::int64_t depth = std::clamp<std::int64_t>(product.x.cols, 1, kMaxInt8Depth);
  const std::int64_t block_tiles =
      std::max<std::int64_t>(1, kBlockBytes / (depth * kernels.tile_cols));
  const std::int64_t num_row_blocks = ceil_div(rows.size(), kMaxBlockRows);
  const std::int64_t num_col_blocks = ceil_div(tiles.size(), block_tiles);
  for (std::int64_t i = 0; i < num_row_blocks; ++i) {
    const Range r = part_of(rows.size(), num_row_blocks, i);
    for (std::int64_t j = 0; j < num_col_blocks; ++j) {
      const Range t = part_of(tiles.size(), num_col_blocks, j);
      const Range cols{(tiles.begin + t.begin) * kernels.tile_cols,
                       std::min((tiles.begin + t.end) * kernels.tile_cols, product.y.cols)};
      Block(product, kernels, {rows.begin + r.begin, rows.begin + r.end}, cols).compute();
    }
  }
}

OpWork work_of(const Int8Matrix& x, Matrix y) {
  const auto rows = static_cast<double>(y.rows), in = static_cast<double>(x.cols),
             out = static_cast<double>(y.cols);
  return {.flops = 2 * rows * in * out,
          .bytes = rows * in + out * in + 4 * rows * out,
          .in_features = x.cols,
          .out_features = y.cols};
}

}  // namespace

void int8_linear(const Int8Matrix& x, const Int8Weight& weight, const VectorParameter& bias,
                 Matrix y, Accumulate accumulate, ThreadPool& pool) {
  const OpTimer timer("int8_linear", [&] { return work_of(x, y); });
  if (y.rows == 0 || y.cols == 0) return;
  const std::vector<float> scales = load_vector(weight.scales, DType::kF32, weight.out_features);
  std::vector<std::int32_t> sums(scales.size());
  std::memcpy(sums.data(), weight.sums, sums.size() * sizeof(sums[0]));
  std::vector<float> offsets, bias_values;
  if (weight.offsets != nullptr) offsets = load_vector(weight.offsets, DType::kF32, y.cols);
  if (bias.data != nullptr) bias_values = load_vector(bias.data, bias.dtype, bias.size);
  const float* offset_data = weight.offsets != nullptr ? offsets.data() : nullptr;
  const float* bias_data = bias.data != nullptr ? bias_values.data() : nullptr;
  const bool add = accumulate == Accumulate::kYes;
  const Int8Product product{x, weight, scales.data(), sums.data(), offset_data, bias_data, y, add};
  const Int8Kernels& kernels = int8_kernels();
  const std::int64_t num_tiles = ceil_div(y.cols, kernels.tile_cols);
  const std::int64_t work = (y.rows + kPanelCost) * y.cols * x.cols;
  for_each_part(y.rows, num_tiles, kPanelCost, {work, kMinWorkPerThread, kMovedRowsCost}, pool,
                [&](Range rows, Range tiles) { multiply_share(product, kernels, rows, tiles); });
}

}  // namespace laurel::kernels
