// The specification of every op of kernels/ops.h: plain loops in float64, one after another. Tests
// compare the fast ops with these. Each returns the result [rows, cols] densely, row-major; inputs
// are not changed.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "laurel/kernels/ops.h"

namespace laurel::kernels::reference {

// With kYes, `old` is the y that the result is added to; else it is not read.
std::vector<double> linear(ConstMatrix x, const Weight& weight, const VectorParameter& bias,
                           ConstMatrix old, Accumulate accumulate);
std::vector<double> embedding(std::span<const std::int32_t> ids, const Weight& table);
std::vector<double> rms_norm(ConstMatrix x, const VectorParameter& weight, float eps);
std::vector<double> rotary(ConstMatrix x, std::int64_t num_heads, std::int64_t head_dim,
                           std::span<const std::int32_t> positions, const RotaryTable& table);
std::vector<double> silu_mul(ConstMatrix gate, ConstMatrix up);
std::vector<double> round_to_bf16(ConstMatrix x);
std::vector<double> gather_rows(ConstMatrix x, std::span<const std::int32_t> rows);
// num_query_rows: rows of the result; those that no run covers are 0.
std::vector<double> forest_attention(ConstMatrix q, ConstMatrix k, ConstMatrix v,
                                     std::span<const AttentionSegment> segments,
                                     std::span<const QueryRun> runs, const AttentionShape& shape,
                                     std::int64_t num_query_rows);

}  // namespace laurel::kernels::reference
