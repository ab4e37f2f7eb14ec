#include "laurel/kernels/reference.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "laurel/kernels/parameter.h"

namespace laurel::kernels::reference {
namespace {

std::vector<double> result(std::int64_t rows, std::int64_t cols) {
  return std::vector<double>(static_cast<std::size_t>(rows * cols));
}

// Rows of k and v that a query sees, ascending by position.
std::vector<std::int64_t> visible_rows(std::span<const AttentionSegment> segments,
                                       std::int32_t segment, std::int64_t token,
                                       std::int64_t window) {
  const std::int64_t position = segments[static_cast<std::size_t>(segment)].start + token;
  std::vector<std::int64_t> rows;
  std::int64_t end = token + 1;
  for (std::int32_t s = segment; s >= 0;) {
    const AttentionSegment& seg = segments[static_cast<std::size_t>(s)];
    for (std::int64_t i = end - 1; i >= 0; --i) {
      if (window > 0 && seg.start + i <= position - window) break;
      rows.push_back(seg.row_offset + i);
    }
    s = seg.parent;
    if (s >= 0) end = segments[static_cast<std::size_t>(s)].num_rows;
  }
  std::reverse(rows.begin(), rows.end());
  return rows;
}

double score(const float* q, const float* k, const AttentionShape& shape) {
  double sum = 0;
  for (std::int64_t i = 0; i < shape.head_dim; ++i) sum += double{q[i]} * double{k[i]};
  sum *= double{shape.scale};
  const double cap = shape.soft_cap;
  return cap > 0 ? cap * std::tanh(sum / cap) : sum;
}

// One head of one query: softmax over the scores of `rows`, times their values.
void attend(const float* q, ConstMatrix k, ConstMatrix v, std::int64_t kv_column,
            std::span<const std::int64_t> rows, const AttentionShape& shape, double* out) {
  std::vector<double> weights;
  double maximum = -std::numeric_limits<double>::infinity();
  for (const std::int64_t row : rows) {
    weights.push_back(score(q, k.row(row) + kv_column, shape));
    maximum = std::max(maximum, weights.back());
  }
  double total = 0;
  for (double& weight : weights) total += weight = std::exp(weight - maximum);
  for (std::size_t j = 0; j < rows.size(); ++j) {
    const float* value = v.row(rows[j]) + kv_column;
    for (std::int64_t i = 0; i < shape.head_dim; ++i)
      out[i] += weights[j] / total * double{value[i]};
  }
}

}  // namespace

std::vector<double> linear(ConstMatrix x, const Weight& weight, const VectorParameter& bias,
                           ConstMatrix old, Accumulate accumulate) {
  std::vector<double> y = result(x.rows, weight.out_features);
  for (std::int64_t r = 0; r < x.rows; ++r) {
    for (std::int64_t n = 0; n < weight.out_features; ++n) {
      double sum = 0;
      for (std::int64_t k = 0; k < weight.in_features; ++k) {
        sum += double{x.row(r)[k]} *
               double{load_element(weight.data, weight.dtype, n * weight.in_features + k)};
      }
      if (bias.data != nullptr) sum += double{load_element(bias.data, bias.dtype, n)};
      if (accumulate == Accumulate::kYes) sum += double{old.row(r)[n]};
      y[static_cast<std::size_t>(r * weight.out_features + n)] = sum;
    }
  }
  return y;
}

std::vector<double> embedding(std::span<const std::int32_t> ids, const Weight& table) {
  std::vector<double> y;
  for (const std::int32_t id : ids) {
    for (std::int64_t i = 0; i < table.in_features; ++i)
      y.push_back(load_element(table.data, table.dtype, id * table.in_features + i));
  }
  return y;
}

std::vector<double> rms_norm(ConstMatrix x, const VectorParameter& weight, float eps) {
  std::vector<double> y;
  for (std::int64_t r = 0; r < x.rows; ++r) {
    double squares = 0;
    for (std::int64_t i = 0; i < x.cols; ++i) squares += double{x.row(r)[i]} * double{x.row(r)[i]};
    const double root = std::sqrt(squares / static_cast<double>(x.cols) + double{eps});
    for (std::int64_t i = 0; i < x.cols; ++i)
      y.push_back(double{load_element(weight.data, weight.dtype, i)} *
                  (double{x.row(r)[i]} / root));
  }
  return y;
}

std::vector<double> rotary(ConstMatrix x, std::int64_t num_heads, std::int64_t head_dim,
                           std::span<const std::int32_t> positions, const RotaryTable& table) {
  std::vector<double> y;
  for (std::int64_t r = 0; r < x.rows; ++r) y.insert(y.end(), x.row(r), x.row(r) + x.cols);
  const std::int64_t half = table.half_dim;
  for (std::int64_t r = 0; r < x.rows; ++r) {
    const auto offset = static_cast<std::size_t>(positions[static_cast<std::size_t>(r)] * half);
    for (std::int64_t h = 0; h < num_heads; ++h) {
      double* head = y.data() + r * x.cols + h * head_dim;
      for (std::int64_t i = 0; i < half; ++i) {
        const double c = table.cosines[offset + static_cast<std::size_t>(i)];
        const double s = table.sines[offset + static_cast<std::size_t>(i)];
        const double a = head[i], b = head[i + half];
        head[i] = a * c - b * s;
        head[i + half] = b * c + a * s;
      }
    }
  }
  return y;
}

std::vector<double> silu_mul(ConstMatrix gate, ConstMatrix up) {
  std::vector<double> y;
  for (std::int64_t r = 0; r < gate.rows; ++r) {
    for (std::int64_t i = 0; i < gate.cols; ++i) {
      const double g = gate.row(r)[i];
      y.push_back(g / (1 + std::exp(-g)) * double{up.row(r)[i]});
    }
  }
  return y;
}

std::vector<double> round_to_bf16(ConstMatrix x) {
  std::vector<double> y;
  for (std::int64_t r = 0; r < x.rows; ++r) {
    for (std::int64_t i = 0; i < x.cols; ++i)
      y.push_back(bf16_to_float(float_to_bf16(x.row(r)[i])));
  }
  return y;
}

std::vector<double> gather_rows(ConstMatrix x, std::span<const std::int32_t> rows) {
  std::vector<double> y;
  for (const std::int32_t r : rows) y.insert(y.end(), x.row(r), x.row(r) + x.cols);
  return y;
}

std::vector<double> forest_attention(ConstMatrix q, ConstMatrix k, ConstMatrix v,
                                     std::span<const AttentionSegment> segments,
                                     std::span<const QueryRun> runs, const AttentionShape& shape,
                                     std::int64_t num_query_rows) {
  const std::int64_t cols = shape.num_heads * shape.head_dim;
  const std::int64_t group = shape.num_heads / shape.num_kv_heads;
  std::vector<double> out = result(num_query_rows, cols);
  for (const QueryRun& run : runs) {
    for (std::int64_t i = 0; i < run.num_rows; ++i) {
      const std::vector<std::int64_t> rows =
          visible_rows(segments, run.segment, run.first + i, shape.window);
      const std::int64_t row = run.query_row + i;
      for (std::int64_t h = 0; h < shape.num_heads; ++h) {
        attend(q.row(row) + h * shape.head_dim, k, v, h / group * shape.head_dim, rows, shape,
               out.data() + row * cols + h * shape.head_dim);
      }
    }
  }
  return out;
}

}  // namespace laurel::kernels::reference
