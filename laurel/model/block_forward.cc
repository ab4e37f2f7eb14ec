#include "laurel/model/block_forward.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "laurel/kernels/backward.h"

namespace laurel::model {

using kernels::Accumulate;
using kernels::ConstMatrix;
using kernels::Matrix;

kernels::AttentionShape PassContext::attention_shape(std::int64_t layer) const {
  kernels::AttentionShape shape;
  shape.num_heads = config.num_heads;
  shape.num_kv_heads = config.num_kv_heads;
  shape.head_dim = config.head_dim;
  shape.scale = 1.0f / std::sqrt(static_cast<float>(config.head_dim));
  shape.window = config.windows[static_cast<std::size_t>(layer)];
  return shape;
}

kernels::RotaryTable PassContext::rotary_table() const {
  return {layout.angles.cosines, layout.angles.sines, config.rope.rotary_dim / 2};
}

void copy_rows(ConstMatrix x, Matrix y, ThreadPool& pool) {
  const auto row_bytes = static_cast<std::size_t>(x.cols) * sizeof(float);
  pool.parallel_for(x.rows, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t r = begin; r < end; ++r) std::memcpy(y.row(r), x.row(r), row_bytes);
  });
}

void scale_rows(Matrix x, float factor, ThreadPool& pool) {
  pool.parallel_for(x.rows, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t r = begin; r < end; ++r) {
      float* row = x.row(r);
      for (std::int64_t c = 0; c < x.cols; ++c) row[c] *= factor;
    }
  });
}

void round_values(const PassContext& context, Matrix x) {
  if (context.precision == Precision::kBF16) kernels::round_to_bf16(x, context.pool);
}

void norm(const PassContext& context, ConstMatrix x, const kernels::VectorParameter& weight,
          Matrix y) {
  kernels::rms_norm(x, weight, static_cast<float>(context.config.rms_norm_eps), y, context.pool);
  round_values(context, y);
}

namespace {

constexpr std::int64_t kInt8RowAlignment = 64;  // bytes

kernels::Int8Matrix int8_matrix(std::int64_t rows, std::int64_t cols, Arena& arena) {
  kernels::Int8Matrix quantized;
  quantized.rows = rows;
  quantized.cols = cols;
  quantized.stride = (cols + kInt8RowAlignment - 1) / kInt8RowAlignment * kInt8RowAlignment;
  const auto row_floats = quantized.stride / static_cast<std::int64_t>(sizeof(float));
  quantized.values = reinterpret_cast<std::uint8_t*>(arena.matrix(rows, row_floats).data);
  quantized.scales = arena.matrix(1, rows).data;
  quantized.zero_points = reinterpret_cast<std::int32_t*>(arena.matrix(1, rows).data);
  return quantized;
}

void copy_int8_rows(const kernels::Int8Matrix& x, std::span<const std::int32_t> rows,
                    const kernels::Int8Matrix& y) {
  for (std::int64_t i = 0; i < y.rows; ++i) {
    const std::int64_t r = rows[static_cast<std::size_t>(i)];
    std::copy_n(x.values + r * x.stride, x.stride, y.values + i * y.stride);
    y.scales[i] = x.scales[r];
    y.zero_points[i] = x.zero_points[r];
  }
}

}  // namespace

void LinearInput::reserve() const {
  const auto num_fine_rows = static_cast<std::int64_t>(fine_rows_.size());
  const auto matrix = [&](std::int64_t rows) {
    return int8_matrix(rows, x_.cols, context_.scratch);
  };
  quantized_.all = matrix(x_.rows);
  quantized_.rest_of_all = matrix(bits_ == Int8Input::kAllRows ? x_.rows : 0);
  quantized_.fine = matrix(num_fine_rows);
  quantized_.rest = matrix(num_fine_rows);
}

const LinearInput::Quantized& LinearInput::quantized(const void* center) const {
  const auto bytes = static_cast<std::size_t>(x_.cols) * sizeof(float);
  if (center_ != nullptr && (center == center_ || std::memcmp(center, center_, bytes) == 0))
    return quantized_;
  if (center_ == nullptr) reserve();
  center_ = center;
  const Quantized& q = quantized_;
  kernels::quantize_rows(x_, center, q.all, context_.pool);
  copy_int8_rows(q.all, fine_rows_, q.fine);
  if (bits_ == Int8Input::kAllRows) {
    std::vector<std::int32_t> rows(static_cast<std::size_t>(x_.rows));
    std::iota(rows.begin(), rows.end(), 0);
    kernels::quantize_rest(x_, center, rows, q.all, q.rest_of_all, context_.pool);
    copy_int8_rows(q.rest_of_all, fine_rows_, q.rest);
  } else {
    kernels::quantize_rest(x_, center, fine_rows_, q.all, q.rest, context_.pool);
  }
  return quantized_;
}

namespace {

void int8_linear(const PassContext& context, const LinearInput& x, const Linear& parameters,
                 Matrix y, Accumulate accumulate, Int8Input bits) {
  const kernels::Int8Weight& weight = parameters.int8;
  kernels::Int8Weight no_offsets = weight;
  no_offsets.offsets = nullptr;
  const LinearInput::Quantized& q = x.quantized(weight.center);
  kernels::int8_linear(q.all, weight, parameters.bias, y, accumulate, context.pool);
  if (bits == Int8Input::kAllRows)
    kernels::int8_linear(q.rest_of_all, no_offsets, {}, y, Accumulate::kYes, context.pool);
  if (x.fine_rows().empty()) return;
  const ArenaScope scope(context.scratch);
  const Matrix more = context.scratch.matrix(q.fine.rows, y.cols);
  Accumulate also = Accumulate::kNo;
  if (bits == Int8Input::kFineRows) {
    kernels::int8_linear(q.rest, no_offsets, {}, more, also, context.pool);
    also = Accumulate::kYes;
  }
  if (parameters.int8_rest.packed != nullptr) {
    kernels::int8_linear(q.fine, parameters.int8_rest, {}, more, also, context.pool);
    also = Accumulate::kYes;
  }
  if (also == Accumulate::kYes) kernels::scatter_add_rows(more, x.fine_rows(), y, context.pool);
}

}  // namespace

void linear(const PassContext& context, ConstMatrix x, const Linear& parameters, Matrix y,
            Accumulate accumulate) {
  const ArenaScope scope(context.scratch);
  linear(context, LinearInput(context, x), parameters, y, accumulate);
}

void linear(const PassContext& context, const LinearInput& input, const Linear& parameters,
            Matrix y, Accumulate accumulate, Int8Input bits) {
  const ConstMatrix x = input.values();
  if (context.observer != nullptr) context.observer->see(context, x, parameters, bits);
  if (parameters.int8.packed != nullptr) {
    int8_linear(context, input, parameters, y, accumulate, bits);
  } else {
    kernels::linear(x, parameters.weight, parameters.bias, y, accumulate, context.pool);
  }
  if (const Lora& lora = parameters.lora; lora.a.data != nullptr) {
    const ArenaScope scope(context.scratch);
    const Matrix low = context.scratch.matrix(x.rows, lora.a.out_features);
    kernels::linear(x, lora.a, {}, low, Accumulate::kNo, context.pool);
    scale_rows(low, lora.scale, context.pool);
    kernels::linear(low, lora.b, {}, y, Accumulate::kYes, context.pool);
  }
  round_values(context, y);
}

namespace {

void rotate(const PassContext& context, Matrix x, std::int64_t num_heads,
            std::span<const std::int32_t> positions) {
  kernels::rotary(x, num_heads, context.config.head_dim, positions, context.rotary_table(),
                  context.pool);
  round_values(context, x);
}

// `count` rows from `begin` on.
Matrix part_of(Matrix x, std::int64_t begin, std::int64_t count) {
  return {x.row(begin), count, x.cols, x.stride};
}

// Of ascending rows, those of a part, counted from its first.
std::vector<std::int32_t> part_of(std::span<const std::int32_t> rows, std::int64_t begin,
                                  std::int64_t count) {
  std::vector<std::int32_t> part;
  for (auto r = std::ranges::lower_bound(rows, begin); r != rows.end() && *r < begin + count; ++r)
    part.push_back(*r - static_cast<std::int32_t>(begin));
  return part;
}

}  // namespace

void BlockForward::run(const BlockValues& values, Matrix product, Matrix out) const {
  project(values);
  attend(values);
  add_attention(values);
  const std::int64_t num_rows = values.x_mid.rows, at_once = values.gate.rows;
  for (std::int64_t begin = 0; begin < num_rows; begin += at_once) {
    const std::int64_t count = std::min(at_once, num_rows - begin);
    BlockValues part;
    part.x_mid = part_of(values.x_mid, begin, count);
    part.gate = part_of(values.gate, 0, count);
    part.up = part_of(values.up, 0, count);
    const std::vector<std::int32_t> fine_rows = part_of(queries_.fine_rows, begin, count);
    open_mlp(part, fine_rows);
    close_mlp(part, fine_rows, part_of(product, 0, count), part_of(out, begin, count));
  }
}

void BlockForward::project(const BlockValues& values) const {
  const ArenaScope scope(context_.scratch);
  const Matrix normed = context_.scratch.matrix(values.x.rows, values.x.cols);
  norm(context_, values.x, layer_.input_norm, normed);
  // All later rows read keys and values, which are a small part of the work.
  constexpr Int8Input kBits = Int8Input::kAllRows;
  const LinearInput input(context_, normed, context_.layout.all.fine_rows, kBits);
  linear(context_, input, layer_.k, values.k, Accumulate::kNo, kBits);
  rotate(context_, values.k, context_.config.num_kv_heads, context_.layout.all.positions);
  linear(context_, input, layer_.v, values.v, Accumulate::kNo, kBits);
  if (queries_.all) {
    linear(context_, input, layer_.q, values.q);
  } else {
    const Matrix query_input = context_.scratch.matrix(queries_.count(), values.x.cols);
    kernels::gather_rows(normed, queries_.rows, query_input, context_.pool);
    linear(context_, LinearInput(context_, query_input, queries_.fine_rows), layer_.q, values.q);
  }
  rotate(context_, values.q, context_.config.num_heads, queries_.positions);
}

void BlockForward::add_linear(ConstMatrix x, std::span<const std::int32_t> fine_rows,
                              const Linear& parameters, Matrix y) const {
  const ArenaScope scope(context_.scratch);
  linear(context_, LinearInput(context_, x, fine_rows), parameters, y, Accumulate::kYes);
}

void BlockForward::attend(const BlockValues& values) const {
  const kernels::AttentionShape shape = context_.attention_shape(index_);
  if (values.log_sum_exp.data != nullptr) {
    kernels::forest_attention(values.q, values.k, values.v, context_.layout.segments, queries_.runs,
                              shape, values.attended, values.log_sum_exp, context_.pool);
  } else {
    kernels::forest_attention(values.q, values.k, values.v, context_.layout.segments, queries_.runs,
                              shape, values.attended, context_.pool);
  }
  round_values(context_, values.attended);
}

void BlockForward::add_attention(const BlockValues& values) const {
  if (!queries_.all) {
    kernels::gather_rows(values.x, queries_.rows, values.x_mid, context_.pool);
  } else if (values.x_mid.data != values.x.data) {
    copy_rows(values.x, values.x_mid, context_.pool);
  }
  add_linear(values.attended, queries_.fine_rows, layer_.o, values.x_mid);
}

void BlockForward::open_mlp(const BlockValues& values) const {
  open_mlp(values, queries_.fine_rows);
}

void BlockForward::open_mlp(const BlockValues& values,
                            std::span<const std::int32_t> fine_rows) const {
  const ArenaScope scope(context_.scratch);
  const Matrix normed = context_.scratch.matrix(values.x_mid.rows, values.x_mid.cols);
  norm(context_, values.x_mid, layer_.post_attention_norm, normed);
  const LinearInput input(context_, normed, fine_rows);
  linear(context_, input, layer_.gate, values.gate);
  linear(context_, input, layer_.up, values.up);
}

void BlockForward::close_mlp(const BlockValues& values, std::span<const std::int32_t> fine_rows,
                             Matrix product, Matrix out) const {
  kernels::silu_mul(values.gate, values.up, product, context_.pool);
  round_values(context_, product);
  if (out.data != values.x_mid.data) copy_rows(values.x_mid, out, context_.pool);
  add_linear(product, fine_rows, layer_.down, out);
}

}  // namespace laurel::model
