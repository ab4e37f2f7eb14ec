// Integer products for scoring: y ≈ x · Wᵀ with weights of eight bits, one scale per output
// channel, and activations of eight bits, one scale and zero point per row. Sums are exact int32,
// so that every instruction set gives the same bits. Each op has a plain reference in
// kernels/reference_int8.h.
//
// Both factors are rotated before they are quantized: x · Wᵀ = (H x) · (H W)ᵀ / n for a Hadamard
// matrix H of order n, whose rows are orthogonal and of ±1. A few inputs that are much larger than
// the others, as decoders have, would make the steps of all others too coarse; rotated, their size
// is spread over n inputs. Before that, a center c that all rows have in common, half of their size
// in some layers, is taken from them: x · Wᵀ = (x - c) · Wᵀ + c · Wᵀ, where the last term is exact.
//
// Thread safety and sizes: as in kernels/ops.h.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "laurel/base/thread_pool.h"
#include "laurel/kernels/ops.h"

namespace laurel::kernels {

// The packed order of a weight [out, in]: panels of 16 output channels, in them groups of 4 inputs:
//   element (n, k) is byte ((n / 16 · ceil(in / 4) + k / 4) · 16 + n % 16) · 4 + k % 4.
// Channels and inputs that pad the last panel and group are 0.
constexpr std::int64_t kInt8PanelChannels = 16;
constexpr std::int64_t kInt8GroupInputs = 4;
// The bound on inputs 2j and 2j + 1 of a channel together, |q[n, 2j] + q[n, 2j + 1]|: with
// activations of at most 255, sums of two products stay within 16 bits, which processors without
// VNNI add up fastest (255 · 128 < 2^15).
constexpr std::int64_t kMaxInt8Pair = 128;
// The bound that keeps int32 sums from overflowing: 255 · 64 · 2^16 < 2^31.
constexpr std::int64_t kMaxInt8Inputs = std::int64_t{1} << 16;

// The order of the Hadamard matrix that rotates rows of so many inputs: the largest power of two
// that divides them, at most 1024; 1, none, if that is below 16.
std::int64_t hadamard_order(std::int64_t num_inputs);

// Bytes of a packed weight.
std::int64_t packed_int8_bytes(std::int64_t out_features, std::int64_t in_features);

// W for inputs less their center: (H W[n])[k] / order ≈ scales[n] · q[n, k] with -127 <= q <= 127,
// [out, in] for at most kMaxInt8Inputs inputs. No pointer needs an alignment.
struct Int8Weight {
  const void* packed = nullptr;   // packed_int8_bytes(); null where there is no such weight
  const void* scales = nullptr;   // [out_features] f32
  const void* sums = nullptr;     // [out_features] i32: Σ_k q[n, k]
  const void* center = nullptr;   // [in_features] f32: c
  const void* offsets = nullptr;  // [out_features] f32: c · Wᵀ; null to leave it out
  std::int64_t out_features = 0;
};

// (H (x[r] - c))[k] ≈ scales[r] · (values[r, k] - zero_points[r]). Columns up to the next multiple
// of 4 are 0.
struct Int8Matrix {
  std::uint8_t* values = nullptr;       // [rows, stride]
  float* scales = nullptr;              // [rows]
  std::int32_t* zero_points = nullptr;  // [rows], 0 to 255
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;  // at least cols rounded up to 4
};

// center: [cols] f32. The rotation is of `order` neighbors each: element k of H x is Σ_j ±x[k - i +
// j] over 0 <= j < order with i = k mod order, negative where i & j has an odd number of bits;
// computed by butterflies in float32, distances 1, 2, 4, ... Then quantization by row: with [low,
// high] the smallest range that has all elements and 0 in it, scale = (high - low) / 255, f = 255 /
// (high - low), zero point = -low · f, and v becomes v · f + zero point, each term to the nearest
// integer, ties to even, and at most 255. A row of high - low < 2^-100 becomes 0; one with an
// infinity or NaN, or whose range is infinite, gets a scale of NaN and values of 0, so that what is
// computed from it is NaN.
void quantize_rows(ConstMatrix x, const void* center, const Int8Matrix& quantized,
                   ThreadPool& pool);

// What quantize_rows() left, for rows that need more than eight bits: row i of `rest` stands for
// H (x[r] - c) - scales[r] · (values[r] - zero_points[r]) with r = rows[i], in steps of 1/254 of
// the row's around a zero point of 128, so that
//   y[r] + int8_linear(rest)[i], without offsets,
// is a product with activations of sixteen bits.
void quantize_rest(ConstMatrix x, const void* center, std::span<const std::int32_t> rows,
                   const Int8Matrix& quantized, const Int8Matrix& rest, ThreadPool& pool);

// What a text tells of the inputs of a layer.
struct Int8Calibration {
  std::vector<float> center;   // [in_features] c; empty for 0
  std::vector<float> factors;  // block after block [size, size] of f; empty for none
};

// Rounding a weight up is made up for by the weights that follow it, as far as inputs go together:
// with e = w[k] - scale · q[k], what is rounded to q[j] is w[j] + Σ e · f(k, j) over the k < j of
// the same block of rotated inputs. Blocks are as equal as possible and of at most kFeedbackBlock
// inputs. f is the strictly upper part of the unit triangular U in
// U · D · Uᵀ = M + mean(diagonal of M) / 5 · I, where M is the sum of weights[r] · h · hᵀ over
// the rows' blocks h of H (x[r] - c), so that Σ_j D[j] · (what q[j] leaves of what is rounded)² is
// the error of the block's outputs on the text. Source: Frantar et al., GPTQ: Accurate
// Post-Training Quantization for Generative Pre-trained Transformers, with blocks instead of all
// inputs, and as Babai's nearest plane.
constexpr std::int64_t kFeedbackBlock = 768;

// From the rows of x, 16 or more (else all is empty, as with values that are not finite), of which
// some count more than others in M. The center is that from which rows are least far: squared, as
// fractions of their sizes, on average.
Int8Calibration int8_calibration(ConstMatrix x, std::span<const float> weights, ThreadPool& pool);

// Where a quantized weight goes: as in Int8Weight. Offsets are left out where they are null.
struct Int8WeightMemory {
  std::int8_t* packed = nullptr;
  float* scales = nullptr;
  std::int32_t* sums = nullptr;
  float* offsets = nullptr;
};

// Rotates each channel of a weight and rounds it to the nearest, with feedback, within the bounds
// of an element and of a pair. scale · order = m / 127, with m the largest magnitude of an element
// and of the sum of a pair. Channels of m < 2^-100, or that are not finite, become as rows do.
// What is left, H W[n] / order - scales[n] · q[n], is rounded once more, to the nearest, to `rest`
// if it has memory: for rows that need more than eight bits of weights,
//   int8_linear(x, weight) + int8_linear(x, rest).
void quantize_weight(const Weight& weight, const Int8Calibration& calibration,
                     const Int8WeightMemory& to, const Int8WeightMemory& rest, ThreadPool& pool);

// y = x · Wᵀ (+ bias); with kYes: y += x · Wᵀ (+ bias). In float32, in this order and without fused
// multiply-adds: Σ_k (value - zero point) · q times (row scale · channel scale), then offset, then
// bias, then the old y. A row of y depends on that row of x only.
void int8_linear(const Int8Matrix& x, const Int8Weight& weight, const VectorParameter& bias,
                 Matrix y, Accumulate accumulate, ThreadPool& pool);

}  // namespace laurel::kernels
