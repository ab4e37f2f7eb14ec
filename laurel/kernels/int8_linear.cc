// The integer product: register tiles straight from the packed weight.
#include <algorithm>
#include <cstdint>
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

struct Int8Product {
  const Int8Matrix& x;
  const Int8Weight& weight;
  const float* scales;  // [out]
  const float* bias;    // [out], or null
  Matrix y;
  bool add;
};

// A part of the product's depth: rows of activations and the packed weight that they meet.
struct Depth {
  const std::int8_t* values;
  std::int64_t stride;
  const unsigned char* packed;
  std::int64_t packed_groups;  // of one panel
  Range groups;                // to multiply
  Int8Start start;
};

// One block of y, rows × columns, over all of the depth.
class Block {
 public:
  Block(const Int8Product& product, const Int8Kernels& kernels, Range rows, Range cols)
      : product_(product), kernels_(kernels), rows_(rows), cols_(cols) {
    num_row_tiles_ = ceil_div(rows.size(), kernels.tile_rows);
    num_col_tiles_ = ceil_div(cols.size(), kernels.tile_cols);
    stride_ = num_col_tiles_ * kernels.tile_cols;
  }

  void compute() {
    static thread_local Scratch memory;
    // All weights of a block that is one step deep stay in the cache: sums of one row of tiles do.
    const bool is_shallow = product_.x.cols <= kernels_.max_depth;
    const std::int64_t num_rows = is_shallow ? kernels_.tile_rows : rows_.size();
    auto* sums = reinterpret_cast<std::int32_t*>(memory.get(num_rows * stride_));
    if (is_shallow) {
      compute_by_rows(sums);
    } else {
      compute_by_depth(sums);
    }
  }

 private:
  Range row_tile(std::int64_t tile) const { return part_of(rows_.size(), num_row_tiles_, tile); }

  void compute_by_rows(std::int32_t* sums) const {
    const std::vector<Depth> depths = all_depths();
    for (std::int64_t tile = 0; tile < num_row_tiles_; ++tile) {
      for (const Depth& depth : depths) multiply_tiles(row_tile(tile), depth, sums);
      finish(row_tile(tile), sums);
    }
  }

  void compute_by_depth(std::int32_t* sums) const {
    const std::vector<Depth> depths = all_depths();
    for (const Depth& depth : depths) {
      for (std::int64_t tile = 0; tile < num_row_tiles_; ++tile) {
        const Range rows = row_tile(tile);
        multiply_tiles(rows, depth, sums + rows.begin * stride_);
        if (&depth == &depths.back()) finish(rows, sums + rows.begin * stride_);
      }
    }
  }

  // The higher digits of wide inputs come first: what follows counts 128 times less.
  std::vector<Depth> all_depths() const {
    const Int8Matrix& x = product_.x;
    const Int8Weight& weight = product_.weight;
    std::vector<Depth> depths;
    if (weight.num_wide == 0) {
      add_depths(x.values, x.stride, weight.packed, x.cols, Int8Start::kZero, depths);
    } else {
      add_depths(x.wide, x.wide_stride, weight.packed_wide, weight.num_wide, Int8Start::kZero,
                 depths);
      add_depths(x.values, x.stride, weight.packed, x.cols, Int8Start::kTimes128, depths);
    }
    return depths;
  }

  void add_depths(const std::int8_t* values, std::int64_t stride, const void* packed,
                  std::int64_t inputs, Int8Start start, std::vector<Depth>& depths) const {
    const std::int64_t groups = ceil_div(inputs, kInt8GroupInputs);
    const std::int64_t max_groups = kernels_.max_depth / kInt8GroupInputs;
    const std::int64_t steps = std::max<std::int64_t>(1, ceil_div(groups, max_groups));
    for (std::int64_t i = 0; i < steps; ++i) {
      depths.push_back({values, stride, static_cast<const unsigned char*>(packed), groups,
                        part_of(groups, steps, i), i == 0 ? start : Int8Start::kContinue});
    }
  }

  // One row of tiles. `rows` counts from the block's first; sums: rows stride_ apart.
  void multiply_tiles(Range rows, const Depth& depth, std::int32_t* sums) const {
    alignas(64) unsigned char a[kMaxInt8TileRows * kInt8RowBytes];
    for (std::int64_t r = rows.begin; r < rows.end; ++r) {
      const std::int8_t* from =
          depth.values + (rows_.begin + r) * depth.stride + depth.groups.begin * kInt8GroupInputs;
      kernels_.load_row(from, depth.groups.size() * kInt8GroupInputs,
                        a + (r - rows.begin) * kInt8RowBytes);
    }
    const Int8Tile multiply = kernels_.tile(rows.size());
    for (std::int64_t t = 0; t < num_col_tiles_; ++t) {
      const std::int64_t col = t * kernels_.tile_cols;
      multiply(a, packed(depth, cols_.begin + col), right_half(depth, cols_.begin + col),
               depth.groups.size(), sums + col, stride_, depth.start);
    }
  }

  // Address of a column's first group of inputs.
  static const unsigned char* packed(const Depth& depth, std::int64_t col) {
    const std::int64_t panel = col / kInt8PanelChannels, within = col % kInt8PanelChannels;
    const std::int64_t group = panel * depth.packed_groups + depth.groups.begin;
    return depth.packed + (group * kInt8PanelChannels + within) * kInt8GroupInputs;
  }

  // From the left half of the tile at this column to the right one; past the last panel, the left
  // half does its work.
  std::int64_t right_half(const Depth& depth, std::int64_t col) const {
    const std::int64_t right = col + kernels_.tile_cols / 2;
    if (right >= round_up(product_.y.cols, kInt8PanelChannels)) return 0;
    return packed(depth, right) - packed(depth, col);
  }

  void finish(Range rows, const std::int32_t* sums) const {
    const std::int64_t col = cols_.begin;
    Int8RowEnd end;
    end.scales = product_.scales + col;
    end.bias = product_.bias != nullptr ? product_.bias + col : nullptr;
    end.add = product_.add;
    end.cols = cols_.size();
    for (std::int64_t r = rows.begin; r < rows.end; ++r) {
      end.sums = sums + (r - rows.begin) * stride_;
      end.row_sum = product_.x.sums[rows_.begin + r];
      end.row_scale = product_.x.scales[rows_.begin + r];
      end.y = product_.y.row(rows_.begin + r) + col;
      kernels_.finish_row(end);
    }
  }

  const Int8Product& product_;
  const Int8Kernels& kernels_;
  Range rows_;
  Range cols_;
  std::int64_t num_row_tiles_ = 0;
  std::int64_t num_col_tiles_ = 0;
  std::int64_t stride_ = 0;  // between rows of sums
};

// `tiles` are tile columns of y.
void multiply_share(const Int8Product& product, const Int8Kernels& kernels, Range rows,
                    Range tiles) {
  const std::int64_t depth = std::clamp<std::int64_t>(product.x.cols, 1, kernels.max_depth);
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
  std::vector<float> bias_values;
  if (bias.data != nullptr) bias_values = load_vector(bias.data, bias.dtype, bias.size);
  const float* bias_data = bias.data != nullptr ? bias_values.data() : nullptr;
  const bool add = accumulate == Accumulate::kYes;
  const Int8Product product{x, weight, scales.data(), bias_data, y, add};
  const Int8Kernels& kernels = int8_kernels();
  const std::int64_t num_tiles = ceil_div(y.cols, kernels.tile_cols);
  const std::int64_t work = (y.rows + kPanelCost) * y.cols * x.cols;
  for_each_part(y.rows, num_tiles, kPanelCost, {work, kMinWorkPerThread}, pool,
                [&](Range rows, Range tiles) { multiply_share(product, kernels, rows, tiles); });
}

}  // namespace laurel::kernels
