#include "laurel/model/block_forward.h"

#include <algorithm>
#include <cmath>
#include <cstring>

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

}  // namespace

const kernels::Int8Matrix& LinearInput::quantized() const {
  if (quantized_.values == nullptr) {
    quantized_ = int8_matrix(x_.rows, x_.cols, context_.scratch);
    kernels::quantize_rows(x_, quantized_, context_.pool);
  }
  return quantized_;
}

const kernels::Int8Matrix& LinearInput::rest() const {
  if (rest_.values == nullptr) {
    const auto count = static_cast<std::int64_t>(score_rows_.size());
    rest_ = int8_matrix(count, x_.cols, context_.scratch);
    kernels::quantize_rest(x_, score_rows_, quantized(), rest_, context_.pool);
  }
  return rest_;
}

namespace {

void int8_linear(const PassContext& context, const LinearInput& x, const Linear& parameters,
                 Matrix y, Accumulate accumulate) {
  kernels::int8_linear(x.quantized(), parameters.int8, parameters.bias, y, accumulate,
                       context.pool);
  if (x.score_rows().empty()) return;
  const kernels::Int8Matrix& rest = x.rest();
  const ArenaScope scope(context.scratch);
  const Matrix more = context.scratch.matrix(rest.rows, y.cols);
  kernels::int8_linear(rest, parameters.int8, {}, more, Accumulate::kNo, context.pool);
  kernels::scatter_add_rows(more, x.score_rows(), y, context.pool);
}

}  // namespace

void linear(const PassContext& context, ConstMatrix x, const Linear& parameters, Matrix y,
            Accumulate accumulate) {
  const ArenaScope scope(context.scratch);
  linear(context, LinearInput(context, x), parameters, y, accumulate);
}

void linear(const PassContext& context, const LinearInput& input, const Linear& parameters,
            Matrix y, Accumulate accumulate) {
  const ConstMatrix x = input.values();
  if (context.observer != nullptr) context.observer->see(context, x, parameters);
  if (parameters.int8.packed != nullptr) {
    int8_linear(context, input, parameters, y, accumulate);
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

}  // namespace

void BlockForward::run(const BlockValues& values, Matrix product, Matrix out) const {
  project(values);
  attend(values);
  add_attention(values);
  open_mlp(values);
  close_mlp(values, product, out);
}

void BlockForward::project(const BlockValues& values) const {
  const ArenaScope scope(context_.scratch);
  const Matrix normed = context_.scratch.matrix(values.x.rows, values.x.cols);
  norm(context_, values.x, layer_.input_norm, normed);
  const LinearInput input(context_, normed, context_.layout.all.score_rows);
  linear(context_, input, layer_.k, values.k);
  rotate(context_, values.k, context_.config.num_kv_heads, context_.layout.all.positions);
  linear(context_, input, layer_.v, values.v);
  if (queries_.all) {
    linear(context_, input, layer_.q, values.q);
  } else {
    const Matrix query_input = context_.scratch.matrix(queries_.count(), values.x.cols);
    kernels::gather_rows(normed, queries_.rows, query_input, context_.pool);
    linear(context_, LinearInput(context_, query_input, queries_.score_rows), layer_.q, values.q);
  }
  rotate(context_, values.q, context_.config.num_heads, queries_.positions);
}

void BlockForward::add_linear(ConstMatrix x, const Linear& parameters, Matrix y) const {
  const ArenaScope scope(context_.scratch);
  linear(context_, LinearInput(context_, x, queries_.score_rows), parameters, y, Accumulate::kYes);
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
  add_linear(values.attended, layer_.o, values.x_mid);
}

void BlockForward::open_mlp(const BlockValues& values) const {
  const ArenaScope scope(context_.scratch);
  const Matrix normed = context_.scratch.matrix(values.x_mid.rows, values.x_mid.cols);
  norm(context_, values.x_mid, layer_.post_attention_norm, normed);
  const LinearInput input(context_, normed, queries_.score_rows);
  linear(context_, input, layer_.gate, values.gate);
  linear(context_, input, layer_.up, values.up);
}

void BlockForward::close_mlp(const BlockValues& values, Matrix product, Matrix out) const {
  kernels::silu_mul(values.gate, values.up, product, context_.pool);
  round_values(context_, product);
  if (out.data != values.x_mid.data) copy_rows(values.x_mid, out, context_.pool);
  add_linear(product, layer_.down, out);
}

}  // namespace laurel::model
