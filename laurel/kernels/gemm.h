// The matrix product behind linear() and the gradient of its input: register tiles over panels of b
// that are expanded to float32 once per block. See docs/design/kernels.md.
#pragma once

#include <cstdint>

#include "laurel/base/dtype.h"
#include "laurel/base/thread_pool.h"
#include "laurel/kernels/ops.h"

namespace laurel::kernels {

enum class Layout { kAsIs, kTransposed };

// Whether the old c is replaced, or added to the product.
enum class Result { kReplace, kAdd };

// The right factor: kF32, kBF16, kF16 or, transposed only, a block type; `stride` elements from one
// row to the next, any alignment.
struct StoredMatrix {
  const void* data = nullptr;
  DType dtype = DType::kF32;
  std::int64_t stride = 0;
};

// c = a · b (+ bias in every row). c: [rows, cols]; it overlaps neither factor.
struct Product {
  std::int64_t depth = 0;
  ConstMatrix a;   // [rows, depth]
  StoredMatrix b;  // [depth, cols]; transposed: [cols, depth]
  Layout b_layout = Layout::kAsIs;
  const float* bias = nullptr;  // [cols], or null
  Matrix c;
  Result result = Result::kReplace;
};

// Each element is one chain of fused multiply-adds in ascending depth, from 0; then bias, then the
// old c. Threads divide c.
void multiply(const Product& product, ThreadPool& pool);

}  // namespace laurel::kernels
