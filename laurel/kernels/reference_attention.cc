#include "laurel/kernels/reference_attention.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>

#include "laurel/kernels/reference.h"

namespace laurel::kernels::reference {
namespace {

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

// One head of one query, and the rows that it sees.
struct Query {
  std::int64_t row = 0;
  std::int64_t head = 0;
  std::int64_t column = 0;     // of the head in q and out
  std::int64_t kv_column = 0;  // of its key/value head in k and v
  std::span<const std::int64_t> rows;
};

void for_each_query(std::span<const AttentionSegment> segments, std::span<const QueryRun> runs,
                    const AttentionShape& shape, const std::function<void(const Query&)>& body) {
  const std::int64_t group = shape.num_heads / shape.num_kv_heads;
  for (const QueryRun& run : runs) {
    for (std::int64_t i = 0; i < run.num_rows; ++i) {
      const std::vector<std::int64_t> rows =
          visible_rows(segments, run.segment, run.first + i, shape.window);
      for (std::int64_t h = 0; h < shape.num_heads; ++h)
        body({run.query_row + i, h, h * shape.head_dim, h / group * shape.head_dim, rows});
    }
  }
}

struct Softmax {
  std::vector<double> scores;
  std::vector<double> weights;
  double log_sum_exp = 0;
};

Softmax softmax(const Query& query, ConstMatrix q, ConstMatrix k, const AttentionShape& shape) {
  Softmax result;
  double maximum = -std::numeric_limits<double>::infinity();
  for (const std::int64_t row : query.rows) {
    result.scores.push_back(
        score(q.row(query.row) + query.column, k.row(row) + query.kv_column, shape));
    maximum = std::max(maximum, result.scores.back());
  }
  double total = 0;
  for (const double s : result.scores) {
    result.weights.push_back(std::exp(s - maximum));
    total += result.weights.back();
  }
  for (double& weight : result.weights) weight /= total;
  result.log_sum_exp = maximum + std::log(total);
  return result;
}

std::vector<double> zeros(std::int64_t rows, std::int64_t cols) {
  return std::vector<double>(static_cast<std::size_t>(rows * cols));
}

// Adds what one head of one query gives to the gradients.
class Differentiator {
 public:
  Differentiator(ConstMatrix q, ConstMatrix k, ConstMatrix v, ConstMatrix dout,
                 const AttentionShape& shape, Terms terms)
      : q_(q), k_(k), v_(v), dout_(dout), shape_(shape), terms_(terms) {
    result_ = {zeros(q.rows, q.cols), zeros(k.rows, k.cols), zeros(v.rows, v.cols)};
  }

  void add(const Query& query) {
    const Softmax soft = softmax(query, q_, k_, shape_);
    const float* dout = dout_.row(query.row) + query.column;
    std::vector<double> dweights;  // dout · v of each key
    double mean = 0;               // dout · out
    for (std::size_t j = 0; j < query.rows.size(); ++j) {
      const float* value = v_.row(query.rows[j]) + query.kv_column;
      double dot = 0;
      for (std::int64_t i = 0; i < shape_.head_dim; ++i)
        dot += term(double{dout[i]} * double{value[i]});
      dweights.push_back(dot);
      mean += soft.weights[j] * dot;
    }
    for (std::size_t j = 0; j < query.rows.size(); ++j) {
      const double difference = terms_ == Terms::kSigned ? dweights[j] - mean : dweights[j] + mean;
      add_key(query, query.rows[j], soft.weights[j],
              soft.weights[j] * difference * slope(soft.scores[j]));
    }
  }

  AttentionGradients take() { return std::move(result_); }

 private:
  double term(double product) const {
    return terms_ == Terms::kSigned ? product : std::abs(product);
  }

  // Of the soft cap. It may be near 0 as a small difference; its terms are of size 1.
  double slope(double capped) const {
    const double ratio = shape_.soft_cap > 0 ? capped / double{shape_.soft_cap} : 0;
    return terms_ == Terms::kSigned ? 1 - ratio * ratio : 1;
  }

  void add_key(const Query& query, std::int64_t key_row, double weight, double dscore) {
    const std::int64_t q_at = query.row * q_.cols + query.column;
    const std::int64_t k_at = key_row * k_.cols + query.kv_column;
    const double scale = shape_.scale;
    for (std::int64_t i = 0; i < shape_.head_dim; ++i) {
      const double q = q_.row(query.row)[query.column + i];
      const double k = k_.row(key_row)[query.kv_column + i];
      const double d = dout_.row(query.row)[query.column + i];
      result_.dq[static_cast<std::size_t>(q_at + i)] += term(scale * dscore * k);
      result_.dk[static_cast<std::size_t>(k_at + i)] += term(scale * dscore * q);
      result_.dv[static_cast<std::size_t>(k_at + i)] += term(weight * d);
    }
  }

  ConstMatrix q_, k_, v_, dout_;
  AttentionShape shape_;
  Terms terms_;
  AttentionGradients result_;
};

}  // namespace

std::vector<double> forest_attention(ConstMatrix q, ConstMatrix k, ConstMatrix v,
                                     std::span<const AttentionSegment> segments,
                                     std::span<const QueryRun> runs, const AttentionShape& shape,
                                     std::int64_t num_query_rows) {
  const std::int64_t cols = shape.num_heads * shape.head_dim;
  std::vector<double> out = zeros(num_query_rows, cols);
  for_each_query(segments, runs, shape, [&](const Query& query) {
    const std::vector<double> weights = softmax(query, q, k, shape).weights;
    double* to = out.data() + query.row * cols + query.column;
    for (std::size_t j = 0; j < query.rows.size(); ++j) {
      const float* value = v.row(query.rows[j]) + query.kv_column;
      for (std::int64_t i = 0; i < shape.head_dim; ++i) to[i] += weights[j] * double{value[i]};
    }
  });
  return out;
}

std::vector<double> attention_log_sum_exp(ConstMatrix q, ConstMatrix k,
                                          std::span<const AttentionSegment> segments,
                                          std::span<const QueryRun> runs,
                                          const AttentionShape& shape,
                                          std::int64_t num_query_rows) {
  std::vector<double> result = zeros(num_query_rows, shape.num_heads);
  for_each_query(segments, runs, shape, [&](const Query& query) {
    result[static_cast<std::size_t>(query.row * shape.num_heads + query.head)] =
        softmax(query, q, k, shape).log_sum_exp;
  });
  return result;
}

AttentionGradients forest_attention_backward(ConstMatrix q, ConstMatrix k, ConstMatrix v,
                                             ConstMatrix dout,
                                             std::span<const AttentionSegment> segments,
                                             std::span<const QueryRun> runs,
                                             const AttentionShape& shape, Terms terms) {
  Differentiator differentiator(q, k, v, dout, shape, terms);
  for_each_query(segments, runs, shape, [&](const Query& query) { differentiator.add(query); });
  return differentiator.take();
}

}  // namespace laurel::kernels::reference
