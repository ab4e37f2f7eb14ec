// Integer products for scoring: y ≈ x · Wᵀ with weights of eight bits, one scale per output
// channel, and activations of eight bits, one scale per row. Sums are exact int32, so that every
// instruction set gives the same bits. Each op has a plain reference in kernels/reference_int8.h.
//
// Thread safety and sizes: as in kernels/ops.h.
#pragma once

#include <cstdint>
#include <span>

#include "laurel/base/thread_pool.h"
#include "laurel/kernels/ops.h"

namespace laurel::kernels {

// The packed order of a weight [out, in]: panels of 16 output channels, in them groups of 4 inputs:
//   element (n, k) is byte ((n / 16 · ceil(in / 4) + k / 4) · 16 + n % 16) · 4 + k % 4,
// stored as q + 128. Channels and inputs that pad the last panel and group hold 128, which is 0.
constexpr std::int64_t kInt8PanelChannels = 16;
constexpr std::int64_t kInt8GroupInputs = 4;
constexpr std::int64_t kInt8ZeroPoint = 128;
// Bounds that keep int32 sums from overflowing.
constexpr std::int64_t kMaxInt8Inputs = std::int64_t{1} << 16;
constexpr std::int64_t kMaxWideInputs = 512;

// Bytes of a packed weight.
std::int64_t packed_int8_bytes(std::int64_t out_features, std::int64_t in_features);

// Inputs whose activations have 15 bits instead of 8, ascending: those that would otherwise make
// the steps of all others too coarse. At most kMaxWideInputs.
using WideInputs = std::span<const std::int32_t>;

// W[n, k] ≈ scales[n] · q[n, k] with -127 <= q <= 127, [out, in] for at most kMaxInt8Inputs inputs.
// No pointer needs an alignment.
struct Int8Weight {
  const void* packed = nullptr;  // packed_int8_bytes(); null where there is no such weight
  const void* scales = nullptr;  // [out_features] f32
  std::int64_t out_features = 0;
  std::int64_t num_wide = 0;
  const void* packed_wide = nullptr;  // the wide inputs once more, [out_features, num_wide] packed
};

// x[r, k] ≈ scales[r] · values[r, k] with -127 <= values <= 127; for the j-th of the wide inputs
// scales[r] · (128 · wide[r, j] + values[r, k]). Columns up to the next multiple of 4 are 0.
struct Int8Matrix {
  std::int8_t* values = nullptr;  // [rows, stride]
  std::int8_t* wide = nullptr;    // [rows, wide_stride]
  float* scales = nullptr;        // [rows]
  std::int32_t* sums = nullptr;   // [rows] of the integers that x is represented by
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;  // at least cols rounded up to 4
  std::int64_t num_wide = 0;
  std::int64_t wide_stride = 0;  // at least num_wide rounded up to 4
};

// Symmetric quantization by row: with m the largest of |x| over inputs that are not wide and of
// |x| / 128 over those that are, scale = m / 127, and x becomes x · (127 / m) to the nearest
// integer, ties to even. A row of m < 2^-100 becomes 0; one with an infinity or NaN gets a scale of
// NaN and values of 0, so that what is computed from it is NaN.
void quantize_rows(ConstMatrix x, WideInputs wide, const Int8Matrix& quantized, ThreadPool& pool);

// Where a quantized weight goes: as in Int8Weight.
struct Int8WeightMemory {
  unsigned char* packed = nullptr;
  float* scales = nullptr;
  unsigned char* packed_wide = nullptr;
};

// Quantizes each channel of a weight as quantize_rows() does a row without wide inputs.
void quantize_weight(const Weight& weight, WideInputs wide, const Int8WeightMemory& to,
                     ThreadPool& pool);

// y = x · Wᵀ (+ bias); with kYes: y += x · Wᵀ (+ bias). In float32, in this order and without fused
// multiply-adds: sum · (row scale · channel scale), then bias, then the old y. A row of y depends
// on that row of x only.
void int8_linear(const Int8Matrix& x, const Int8Weight& weight, const VectorParameter& bias,
                 Matrix y, Accumulate accumulate, ThreadPool& pool);

}  // namespace laurel::kernels
