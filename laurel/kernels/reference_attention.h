// The specification of the attention of training (kernels/backward.h): plain loops in float64.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "laurel/kernels/ops.h"

namespace laurel::kernels::reference {

// [num_query_rows, num_heads]; rows that no run covers are 0.
std::vector<double> attention_log_sum_exp(ConstMatrix q, ConstMatrix k,
                                          std::span<const AttentionSegment> segments,
                                          std::span<const QueryRun> runs,
                                          const AttentionShape& shape, std::int64_t num_query_rows);

// Dense, of the sizes of q, k and v; 0 where nothing is added.
struct AttentionGradients {
  std::vector<double> dq, dk, dv;
};

// The gradients of forest_attention, or with kMagnitudes the sums of the sizes of all that is added
// up for each element: what a bound of rounding errors is relative to.
enum class Terms { kSigned, kMagnitudes };
AttentionGradients forest_attention_backward(ConstMatrix q, ConstMatrix k, ConstMatrix v,
                                             ConstMatrix dout,
                                             std::span<const AttentionSegment> segments,
                                             std::span<const QueryRun> runs,
                                             const AttentionShape& shape,
                                             Terms terms = Terms::kSigned);

}  // namespace laurel::kernels::reference
