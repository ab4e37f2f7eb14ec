// The dozen operations a decoder forward pass is written in. All matrices are row-major float32;
// every op is deterministic: a row of the result depends only on that row's inputs (and the
// weights), never on the other rows, the number of rows, the thread count or how work was cut. Each
// op has a plain reference in kernels/reference.h.
//
// Thread safety: ops may run at the same time on different outputs; a ThreadPool runs one at a
// time. Sizes are trusted (the caller has validated them); pointers need no particular alignment.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "laurel/base/dtype.h"
#include "laurel/base/thread_pool.h"

namespace laurel::kernels {

// [rows, cols] with `stride` elements from one row to the next (stride >= cols).
struct Matrix {
  float* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;
  float* row(std::int64_t r) const { return data + r * stride; }
};

struct ConstMatrix {
  const float* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;
  ConstMatrix() = default;
  ConstMatrix(const float* d, std::int64_t r, std::int64_t c, std::int64_t s)
      : data(d), rows(r), cols(c), stride(s) {}
  ConstMatrix(const Matrix& m) : data(m.data), rows(m.rows), cols(m.cols), stride(m.stride) {}
  const float* row(std::int64_t r) const { return data + r * stride; }
};

// A weight as the checkpoint stores it: [out_features, in_features], contiguous, kF32, kBF16, kF16
// or a block type, any alignment (a memory-mapped file guarantees none).
struct Weight {
  const void* data = nullptr;
  DType dtype = DType::kF32;
  std::int64_t out_features = 0;
  std::int64_t in_features = 0;
};

// A vector of parameters (norm weight, bias), kF32/kBF16/kF16; data may be null where an op says it
// is optional.
struct VectorParameter {
  const void* data = nullptr;
  DType dtype = DType::kF32;
  std::int64_t size = 0;
};

enum class Accumulate { kNo, kYes };

// y = x · Wᵀ (+ bias) ; with kYes: y += x · Wᵀ (+ bias), the residual add. x: [rows, in], y: [rows,
// out]; x and y do not overlap. Each element is one chain of fused multiply-adds in ascending order
// of k, from 0; then bias, then the old y.
void linear(ConstMatrix x, const Weight& weight, const VectorParameter& bias, Matrix y,
            Accumulate accumulate, ThreadPool& pool);

// out[i] = table[ids[i]] as float32. Ids are in range.
void embedding(std::span<const std::int32_t> ids, const Weight& table, Matrix out,
               ThreadPool& pool);

// y = w · (x / sqrt(mean(x²) + eps)), Llama form, over each row. x and y may be the same matrix.
void rms_norm(ConstMatrix x, const VectorParameter& weight, float eps, Matrix y, ThreadPool& pool);

// Cosines and sines of the rotary embedding: [num_positions, rotary_dim / 2] each, times the
// attention scaling.
struct RotaryTable {
  std::span<const float> cosines;
  std::span<const float> sines;
  std::int64_t half_dim = 0;
};

// Rotates each head of x in place, half-split layout: pairs are (i, i + half_dim) within the first
// 2·half_dim elements of a head. x: [rows, num_heads · head_dim]; row r uses table row
// positions[r].
void rotary(Matrix x, std::int64_t num_heads, std::int64_t head_dim,
            std::span<const std::int32_t> positions, const RotaryTable& table, ThreadPool& pool);

// gate = silu(gate) · up, elementwise, in place.
void silu_mul(Matrix gate, ConstMatrix up, ThreadPool& pool);

// Rounds every element to the nearest bfloat16 (ties to even), in place.
void round_to_bf16(Matrix x, ThreadPool& pool);

// y[i] = x[rows[i]].
void gather_rows(ConstMatrix x, std::span<const std::int32_t> rows, Matrix y, ThreadPool& pool);

// One segment of a prefix forest (laurel/packing/forest.h): rows [row_offset, row_offset +
// num_rows) of the keys and values; its first token has position `start`; its keys continue those
// of segment `parent` (or -1). Parents precede their children; start(child) = start(parent) +
// num_rows(parent). A root's start may be > 0: positions before it do not exist.
struct AttentionSegment {
  std::int64_t row_offset = 0;
  std::int64_t num_rows = 0;
  std::int64_t start = 0;
  std::int32_t parent = -1;
};

// Consecutive queries: rows [query_row, query_row + num_rows) of q and out are tokens [first, first
// + num_rows) of segment `segment`. A full layer has one run per segment; the last layer only the
// score points.
struct QueryRun {
  std::int32_t segment = 0;
  std::int64_t first = 0;
  std::int64_t num_rows = 0;
  std::int64_t query_row = 0;
};

struct AttentionShape {
  std::int64_t num_heads = 0;
  std::int64_t num_kv_heads = 0;  // divides num_heads
  std::int64_t head_dim = 0;
  float scale = 0;  // usually head_dim^-1/2
  std::int64_t window =
      0;  // sliding window: key j of query t is visible iff j > t - window; 0 means none
  float soft_cap = 0;  // s ← c·tanh(s/c) when > 0
};

// Causal attention of every query over its ancestors' and its own segment's keys.
// q, out: [num_query_rows, num_heads · head_dim]; k, v: [num_rows, num_kv_heads · head_dim], rotary
// already applied. Keys are visited in blocks cut at absolute positions (multiples of a fixed block
// size), ascending, with a running maximum, so a query's bits depend only on its position and its
// path's values, not on how segments were cut.
void forest_attention(ConstMatrix q, ConstMatrix k, ConstMatrix v,
                      std::span<const AttentionSegment> segments, std::span<const QueryRun> runs,
                      const AttentionShape& shape, Matrix out, ThreadPool& pool);

// --- Instruction sets ---

// Name of the instruction set that the ops use now: "AVX2", "AVX3_ZEN4", "NEON", …
const char* active_isa();
// Restricts the ops to one of: "scalar", "sse4", "avx2", "avx512", "avx512_vnni" (which also has
// the dot products of bytes), "neon", "best". Throws UserError for an unknown name or one that this
// machine lacks. Not thread-safe: call before the first op. The program reads the environment
// variable LAUREL_ISA at start and passes it here.
void select_isa(std::string_view name);
// Names accepted by select_isa on this machine, worst first, without "best".
std::vector<std::string> available_isas();

}  // namespace laurel::kernels
