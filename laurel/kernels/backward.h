// The backward side of the operations of kernels/ops.h, and the forward forms that training needs
// besides. Everything said there holds here: row-major float32, deterministic, bits independent of
// the number of threads. A gradient that sums over rows is one chain per element in ascending row
// order, so that it depends on the order of rows in the pack, and on nothing else.
//
// "adds" in a comment means that the result is added to what the output holds. Matrices of one call
// do not overlap unless a comment allows it.
#pragma once

#include <cstdint>
#include <span>

#include "laurel/kernels/ops.h"

namespace laurel::kernels {

// dx = dy · W (with kYes: dx += dy · W). dy: [rows, out], dx: [rows, in]. Row results are
// independent of the other rows, as in linear().
void linear_input_gradient(ConstMatrix dy, const Weight& weight, Matrix dx, Accumulate accumulate,
                           ThreadPool& pool);

// Adds dyᵀ · x to dw. dy: [rows, out], x: [rows, in], dw: [out, in]. Each element's chain of fused
// multiply-adds begins with the old value: rows given in several calls give the bits of one call.
void linear_weight_gradient(ConstMatrix dy, ConstMatrix x, Matrix dw, ThreadPool& pool);

// Adds the column sums of dy to db: [out].
void linear_bias_gradient(ConstMatrix dy, std::span<float> db, ThreadPool& pool);

// Backward of rms_norm. x is the norm's input. Adds to dweight [cols] unless it is empty. dx may be
// the same matrix as dy (with kNo).
void rms_norm_backward(ConstMatrix x, const VectorParameter& weight, float eps, ConstMatrix dy,
                       Matrix dx, Accumulate accumulate, std::span<float> dweight,
                       ThreadPool& pool);

// The inverse rotation (the transposed one, times the table's attention scaling), in place.
void rotary_backward(Matrix dx, std::int64_t num_heads, std::int64_t head_dim,
                     std::span<const std::int32_t> positions, const RotaryTable& table,
                     ThreadPool& pool);

// y = silu(gate) · up. y may be the same matrix as gate or up.
void silu_mul(ConstMatrix gate, ConstMatrix up, Matrix y, ThreadPool& pool);

// Backward of silu_mul: dy is the gradient of silu(gate) · up. dgate may be the same matrix as gate
// and dup the same as up; either may be the same matrix as dy.
void silu_mul_backward(ConstMatrix gate, ConstMatrix up, ConstMatrix dy, Matrix dgate, Matrix dup,
                       ThreadPool& pool);

// Adds row i of dx to row ids[i] of dtable: [vocab_size, cols], in ascending i for each id.
void embedding_backward(std::span<const std::int32_t> ids, ConstMatrix dx, Matrix dtable,
                        ThreadPool& pool);

// y[rows[i]] += x[i], in ascending i.
void scatter_add_rows(ConstMatrix x, std::span<const std::int32_t> rows, Matrix y,
                      ThreadPool& pool);

// y += x, elementwise.
void add(ConstMatrix x, Matrix y, ThreadPool& pool);

// forest_attention() that also stores, for every query row and head, the logarithm of the sum of
// the exponentials of its scores (scaled and soft-capped): log_sum_exp: [num_query_rows,
// num_heads]. `out` has the bits of forest_attention()'s.
void forest_attention(ConstMatrix q, ConstMatrix k, ConstMatrix v,
                      std::span<const AttentionSegment> segments, std::span<const QueryRun> runs,
                      const AttentionShape& shape, Matrix out, Matrix log_sum_exp,
                      ThreadPool& pool);

// Backward of forest_attention. q, k, v, out, log_sum_exp: of the forward call; dout: the gradient
// of out. Overwrites dq (rows that a run covers) and dk, dv (all rows; 0 where no query sees the
// key). The gradient of a shared key is the sum over all queries that see it, own segment's and
// descendants', in ascending order of query row. Formulas: Dao et al., FlashAttention-2, over a
// tree (docs/design/training.md).
struct AttentionInputs {
  ConstMatrix q, k, v, out, log_sum_exp, dout;
};
struct AttentionGradients {
  Matrix dq, dk, dv;
};
void forest_attention_backward(const AttentionInputs& inputs,
                               std::span<const AttentionSegment> segments,
                               std::span<const QueryRun> runs, const AttentionShape& shape,
                               const AttentionGradients& gradients, ThreadPool& pool);

}  // namespace laurel::kernels
