// The specification of kernels/int8.h: plain loops, with exact integer sums. Results are the same
// bits as those of the fast ops.
#pragma once

#include <cstdint>
#include <vector>

#include "laurel/kernels/int8.h"

namespace laurel::kernels::reference {

struct Int8Rows {
  std::vector<int> values;       // [rows, cols], dense
  std::vector<int> zero_points;  // [rows]
  std::vector<float> scales;     // [rows]
};
// center: [cols], or empty for 0.
Int8Rows quantize_rows(ConstMatrix x, const std::vector<float>& center = {});

// A weight rounded to the nearest, without feedback.
struct Int8Channels {
  std::vector<int> values;    // [out, in], dense
  std::vector<float> scales;  // [out]
};
Int8Channels quantize_weight(ConstMatrix weight);

// Element (n, k) of a packed weight of so many inputs, -127 to 127.
int int8_element(const Int8Weight& weight, std::int64_t num_inputs, std::int64_t n, std::int64_t k);

// [x rows, out], dense; `old` is read with kYes only.
std::vector<float> int8_linear(const Int8Rows& x, const Int8Weight& weight,
                               const VectorParameter& bias, ConstMatrix old, Accumulate accumulate);

}  // namespace laurel::kernels::reference
