#include "laurel/kernels/ops.h"

#include "laurel/kernels/reference.h"

namespace laurel::kernels {
namespace {

void store(const std::vector<double>& values, Matrix y) {
  for (std::int64_t r = 0; r < y.rows; ++r) {
    for (std::int64_t i = 0; i < y.cols; ++i)
      y.row(r)[i] = static_cast<float>(values[static_cast<std::size_t>(r * y.cols + i)]);
  }
}

}  // namespace

void embedding(std::span<const std::int32_t> ids, const Weight& table, Matrix out, ThreadPool&) {
  store(reference::embedding(ids, table), out);
}

void rms_norm(ConstMatrix x, const VectorParameter& weight, float eps, Matrix y, ThreadPool&) {
  store(reference::rms_norm(x, weight, eps), y);
}

void rotary(Matrix x, std::int64_t num_heads, std::int64_t head_dim,
            std::span<const std::int32_t> positions, const RotaryTable& table, ThreadPool&) {
  store(reference::rotary(x, num_heads, head_dim, positions, table), x);
}

void silu_mul(Matrix gate, ConstMatrix up, ThreadPool&) {
  store(reference::silu_mul(gate, up), gate);
}

void round_to_bf16(Matrix x, ThreadPool&) { store(reference::round_to_bf16(x), x); }

void gather_rows(ConstMatrix x, std::span<const std::int32_t> rows, Matrix y, ThreadPool&) {
  store(reference::gather_rows(x, rows), y);
}

void forest_attention(ConstMatrix q, ConstMatrix k, ConstMatrix v,
                      std::span<const AttentionSegment> segments, std::span<const QueryRun> runs,
                      const AttentionShape& shape, Matrix out, ThreadPool&) {
  store(reference::forest_attention(q, k, v, segments, runs, shape, out.rows), out);
}

}  // namespace laurel::kernels
