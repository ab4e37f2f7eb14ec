#include "laurel/model/block_backward.h"

#include "laurel/kernels/backward.h"

namespace laurel::model {

using kernels::Accumulate;
using kernels::ConstMatrix;
using kernels::Matrix;

namespace {

// With h = scale · x·Aᵀ and y += h·Bᵀ: dB += dyᵀ·h; with g = scale · dy·B: dA += gᵀ·x. Returns g,
// whose part of dx is g·A.
Matrix lora_gradients(const PassContext& context, ConstMatrix x, const Lora& lora,
                      const LinearGradient& gradient, ConstMatrix dy) {
  const Matrix g = context.scratch.matrix(x.rows, lora.a.out_features);
  kernels::linear(x, lora.a, {}, g, Accumulate::kNo, context.pool);
  scale_rows(g, lora.scale, context.pool);
  kernels::linear_weight_gradient(dy, g, gradient.lora_b, context.pool);
  kernels::linear_input_gradient(dy, lora.b, g, Accumulate::kNo, context.pool);
  scale_rows(g, lora.scale, context.pool);
  kernels::linear_weight_gradient(g, x, gradient.lora_a, context.pool);
  return g;
}

}  // namespace

void linear_backward(const PassContext& context, ConstMatrix x, const Linear& parameters,
                     const LinearGradient& gradient, ConstMatrix dy, Matrix dx,
                     Accumulate accumulate) {
  const ArenaScope scope(context.scratch);
  const Lora& lora = parameters.lora;
  if (gradient.weight.data != nullptr) {
    kernels::linear_weight_gradient(dy, x, gradient.weight, context.pool);
  }
  if (!gradient.bias.empty()) kernels::linear_bias_gradient(dy, gradient.bias, context.pool);
  Matrix low_rank;
  if (lora.a.data != nullptr) low_rank = lora_gradients(context, x, lora, gradient, dy);
  if (dx.data == nullptr) return;
  kernels::linear_input_gradient(dy, parameters.weight, dx, accumulate, context.pool);
  if (low_rank.data != nullptr) {
    kernels::linear_input_gradient(low_rank, lora.a, dx, Accumulate::kYes, context.pool);
  }
}

void norm_backward(const PassContext& context, ConstMatrix x,
                   const kernels::VectorParameter& weight, std::span<float> gradient,
                   ConstMatrix dy, Matrix dx, Accumulate accumulate) {
  kernels::rms_norm_backward(x, weight, static_cast<float>(context.config.rms_norm_eps), dy, dx,
                             accumulate, gradient, context.pool);
}

void BlockBackward::run(const BlockValues& values, Matrix dx, Matrix dx_in) const {
  mlp(values, dx);
  attention(values, dx, dx_in);
}

void BlockBackward::mlp(const BlockValues& values, Matrix dx) const {
  const ArenaScope scope(context_.scratch);
  const Matrix product = context_.scratch.matrix(values.gate.rows, values.gate.cols);
  kernels::silu_mul(values.gate, values.up, product, context_.pool);
  const Matrix dproduct = product;  // takes its place
  linear_backward(context_, product, layer_.down, gradients_.down, dx, dproduct);
  const Matrix dgate = values.gate, dup = values.up;
  kernels::silu_mul_backward(values.gate, values.up, dproduct, dgate, dup, context_.pool);

  const Matrix normed = context_.scratch.matrix(dx.rows, dx.cols);
  const Matrix dnormed = context_.scratch.matrix(dx.rows, dx.cols);
  norm(context_, values.x_mid, layer_.post_attention_norm, normed);
  linear_backward(context_, normed, layer_.gate, gradients_.gate, dgate, dnormed);
  linear_backward(context_, normed, layer_.up, gradients_.up, dup, dnormed, Accumulate::kYes);
  norm_backward(context_, values.x_mid, layer_.post_attention_norm, gradients_.post_attention_norm,
                dnormed, dx, Accumulate::kYes);
}

void BlockBackward::attention(const BlockValues& values, Matrix dx, Matrix dx_in) const {
  const ArenaScope scope(context_.scratch);
  const Matrix dattended = context_.scratch.matrix(values.q.rows, values.q.cols);
  const Projected d{context_.scratch.matrix(values.q.rows, values.q.cols),
                    context_.scratch.matrix(values.k.rows, values.k.cols),
                    context_.scratch.matrix(values.v.rows, values.v.cols)};
  linear_backward(context_, values.attended, layer_.o, gradients_.o, dx, dattended);
  kernels::forest_attention_backward(
      {values.q, values.k, values.v, values.attended, values.log_sum_exp, dattended},
      context_.layout.segments, queries_.runs, context_.attention_shape(index_), {d.dq, d.dk, d.dv},
      context_.pool);
  const ModelConfig& config = context_.config;
  kernels::rotary_backward(d.dq, config.num_heads, config.head_dim, queries_.positions,
                           context_.rotary_table(), context_.pool);
  kernels::rotary_backward(d.dk, config.num_kv_heads, config.head_dim,
                           context_.layout.all.positions, context_.rotary_table(), context_.pool);
  projections(values, d, dx, dx_in);
}

void BlockBackward::projections(const BlockValues& values, const Projected& d, Matrix dx,
                                Matrix dx_in) const {
  Arena& scratch = context_.scratch;
  const Matrix normed = scratch.matrix(values.x.rows, values.x.cols);
  norm(context_, values.x, layer_.input_norm, normed);
  const bool norm_needed = dx_in.data != nullptr || !gradients_.input_norm.empty();
  Matrix dnormed;
  if (norm_needed) dnormed = scratch.matrix(values.x.rows, values.x.cols);
  linear_backward(context_, normed, layer_.k, gradients_.k, d.dk, dnormed);
  linear_backward(context_, normed, layer_.v, gradients_.v, d.dv, dnormed, Accumulate::kYes);
  if (queries_.all) {
    linear_backward(context_, normed, layer_.q, gradients_.q, d.dq, dnormed, Accumulate::kYes);
  } else {
    const Matrix query_input = scratch.matrix(queries_.count(), values.x.cols);
    kernels::gather_rows(normed, queries_.rows, query_input, context_.pool);
    const Matrix dquery_input = norm_needed ? query_input : Matrix{};  // takes its place
    linear_backward(context_, query_input, layer_.q, gradients_.q, d.dq, dquery_input);
    if (norm_needed) {
      kernels::scatter_add_rows(dquery_input, queries_.rows, dnormed, context_.pool);
    }
  }
  if (!norm_needed) return;

  // The residual stream's own gradient is in dx already where queries are all rows.
  const bool in_place = queries_.all && dx_in.data != nullptr;
  norm_backward(context_, values.x, layer_.input_norm, gradients_.input_norm, dnormed,
                dx_in.data != nullptr ? dx_in : dnormed,
                in_place ? Accumulate::kYes : Accumulate::kNo);
  if (!queries_.all && dx_in.data != nullptr) {
    kernels::scatter_add_rows(dx, queries_.rows, dx_in, context_.pool);
  }
}

}  // namespace laurel::model
