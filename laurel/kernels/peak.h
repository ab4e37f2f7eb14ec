// What this machine's arithmetic units can do, for comparison.
#pragma once

#include "laurel/base/thread_pool.h"

namespace laurel::kernels {

// Floating-point operations per second of all threads together in the register tile of the matrix
// products, on operands in the first-level cache. Takes a fifth of a second.
double measure_peak_flops(ThreadPool& pool);

}  // namespace laurel::kernels
