// What the integer products need of an instruction set: the register tile and the loops at its
// ends.
#pragma once

#include <cstdint>
#include <vector>

#include "laurel/base/thread_pool.h"
#include "laurel/kernels/ops.h"
#include "laurel/kernels/partition.h"

namespace laurel::kernels {

// Adding this and taking it away again leaves the nearest integer, ties to even, of |x| < 2^22; the
// low bits of the sum are that integer. The same on every instruction set, unlike conversions.
constexpr float kRounder = 0x1.8p23f;
constexpr std::int32_t kRounderBits = 0x4b400000;

constexpr float kNegligible = 0x1p-100f;  // 255 / x stays finite above it

constexpr std::int64_t kMaxInt8Depth = 1536;  // inputs of one call of a tile: a multiple of 4
// Distance between the rows of activations that a tile reads: a constant, so that one register
// addresses all rows; an odd number of cache lines, so that they do not fall into the same cache
// sets.
constexpr std::int64_t kInt8RowBytes = kMaxInt8Depth + 64;
constexpr std::int64_t kMaxInt8TileRows = 32;
constexpr std::int64_t kMaxInt8TileCols = 32;

// sums[r, c] = Σ_k a[r, k] · b[k, c] (with kYes: +=) for a fixed number of rows and two vectors of
// columns:
//   a: rows kInt8RowBytes apart, of `groups` · 4 elements;
//   b: the packed weight (kernels/int8.h) at the first column of the tile's left half, b + right at
//   that of its right half; sums: rows `stride` apart.
using Int8Tile = void (*)(const std::uint8_t* a, const std::int8_t* b, std::int64_t right,
                          std::int64_t groups, std::int32_t* sums, std::int64_t stride,
                          Accumulate accumulate);

// The end of a tile, for its rows r and columns c:
//   y[r, c] = sums'[r, c] · (row_scales[r] · scales[c]) (+ offsets[c]) (+ bias[c]) (+ y[r, c]),
// where sums' = sums - zero_points[r] · weight_sums[c] undoes the rows' zero points.
struct Int8TileEnd {
  const std::int32_t* sums = nullptr;  // rows `stride` apart
  std::int64_t stride = 0;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  const std::int32_t* zero_points = nullptr;
  const float* row_scales = nullptr;
  const std::int32_t* weight_sums = nullptr;
  const float* scales = nullptr;
  const float* offsets = nullptr;  // or null
  const float* bias = nullptr;     // or null
  bool add = false;                // y to the result
  float* y = nullptr;              // rows y_stride apart
  std::int64_t y_stride = 0;
};

struct Int8Kernels {
  std::int64_t tile_rows = 0;
  std::int64_t tile_cols = 0;
  Int8Tile (*tile)(std::int64_t rows) = nullptr;
  void (*finish_tile)(const Int8TileEnd& end) = nullptr;
};

// Those of the instruction set in use.
const Int8Kernels& int8_kernels();

// A block of inputs whose weights make up for each other's rounding, and where its factors are in
// Int8Calibration::factors.
struct FeedbackBlock {
  Range inputs;
  std::int64_t place = 0;
};
std::vector<FeedbackBlock> feedback_blocks(std::int64_t num_inputs);

// y = H x, as quantize_rows() rotates; for rows, y[r] = H (x[r] - center), with no center if it is
// empty.
void rotate_row(const float* x, std::int64_t cols, float* y);
void rotate_rows(ConstMatrix x, const std::vector<float>& center, Matrix y, ThreadPool& pool);

}  // namespace laurel::kernels
