#include "laurel/kernels/reference_backward.h"

#include <cmath>
#include <cstddef>

#include "laurel/kernels/parameter.h"

namespace laurel::kernels::reference {
namespace {

std::vector<double> dense(ConstMatrix x) {
  std::vector<double> y;
  for (std::int64_t r = 0; r < x.rows; ++r) y.insert(y.end(), x.row(r), x.row(r) + x.cols);
  return y;
}

double element(const VectorParameter& v, std::int64_t i) {
  return load_element(v.data, v.dtype, i);
}

// The gradient of one row of rms_norm; adds to dweight unless it is empty.
void rms_norm_backward_row(const float* x, const VectorParameter& weight, float eps,
                           const float* dy, std::int64_t cols, double* dx,
                           std::vector<double>& dweight) {
  const auto n = static_cast<double>(cols);
  double squares = 0, dot = 0;
  for (std::int64_t i = 0; i < cols; ++i) {
    squares += double{x[i]} * double{x[i]};
    dot += element(weight, i) * double{dy[i]} * double{x[i]};
  }
  const double root = std::sqrt(squares / n + double{eps});
  for (std::int64_t i = 0; i < cols; ++i) {
    dx[i] +=
        element(weight, i) * double{dy[i]} / root - double{x[i]} * dot / (n * root * root * root);
    if (!dweight.empty())
      dweight[static_cast<std::size_t>(i)] += double{dy[i]} * double{x[i]} / root;
  }
}

}  // namespace

std::vector<double> linear_input_gradient(ConstMatrix dy, const Weight& weight, ConstMatrix old,
                                          Accumulate accumulate) {
  std::vector<double> dx(static_cast<std::size_t>(dy.rows * weight.in_features));
  if (accumulate == Accumulate::kYes) dx = dense(old);
  for (std::int64_t r = 0; r < dy.rows; ++r) {
    for (std::int64_t n = 0; n < weight.out_features; ++n) {
      for (std::int64_t k = 0; k < weight.in_features; ++k) {
        dx[static_cast<std::size_t>(r * weight.in_features + k)] +=
            double{dy.row(r)[n]} *
            double{load_element(weight.data, weight.dtype, n * weight.in_features + k)};
      }
    }
  }
  return dx;
}

std::vector<double> linear_weight_gradient(ConstMatrix dy, ConstMatrix x, ConstMatrix old) {
  std::vector<double> dw = dense(old);
  for (std::int64_t r = 0; r < dy.rows; ++r) {
    for (std::int64_t n = 0; n < dy.cols; ++n) {
      for (std::int64_t k = 0; k < x.cols; ++k)
        dw[static_cast<std::size_t>(n * x.cols + k)] += double{dy.row(r)[n]} * double{x.row(r)[k]};
    }
  }
  return dw;
}

std::vector<double> linear_bias_gradient(ConstMatrix dy, std::span<const float> old) {
  std::vector<double> db(old.begin(), old.end());
  for (std::int64_t r = 0; r < dy.rows; ++r) {
    for (std::int64_t n = 0; n < dy.cols; ++n)
      db[static_cast<std::size_t>(n)] += double{dy.row(r)[n]};
  }
  return db;
}

NormGradients rms_norm_backward(ConstMatrix x, const VectorParameter& weight, float eps,
                                ConstMatrix dy, ConstMatrix old, Accumulate accumulate,
                                std::span<const float> old_dweight) {
  NormGradients result;
  result.dx.resize(static_cast<std::size_t>(x.rows * x.cols));
  if (accumulate == Accumulate::kYes) result.dx = dense(old);
  result.dweight.assign(old_dweight.begin(), old_dweight.end());
  for (std::int64_t r = 0; r < x.rows; ++r) {
    rms_norm_backward_row(x.row(r), weight, eps, dy.row(r), x.cols, result.dx.data() + r * x.cols,
                          result.dweight);
  }
  return result;
}

std::vector<double> rotary_backward(ConstMatrix dx, std::int64_t num_heads, std::int64_t head_dim,
                                    std::span<const std::int32_t> positions,
                                    const RotaryTable& table) {
  std::vector<double> y = dense(dx);
  const std::int64_t half = table.half_dim;
  for (std::int64_t r = 0; r < dx.rows; ++r) {
    const auto offset = static_cast<std::size_t>(positions[static_cast<std::size_t>(r)] * half);
    for (std::int64_t h = 0; h < num_heads; ++h) {
      double* head = y.data() + r * dx.cols + h * head_dim;
      for (std::int64_t i = 0; i < half; ++i) {
        const double c = table.cosines[offset + static_cast<std::size_t>(i)];
        const double s = table.sines[offset + static_cast<std::size_t>(i)];
        const double a = head[i], b = head[i + half];
        head[i] = a * c + b * s;
        head[i + half] = b * c - a * s;
      }
    }
  }
  return y;
}

SiluMulGradients silu_mul_backward(ConstMatrix gate, ConstMatrix up, ConstMatrix dy) {
  SiluMulGradients result;
  for (std::int64_t r = 0; r < dy.rows; ++r) {
    for (std::int64_t i = 0; i < dy.cols; ++i) {
      const double g = gate.row(r)[i], u = up.row(r)[i], d = dy.row(r)[i];
      const double sigmoid = 1 / (1 + std::exp(-g));
      result.dgate.push_back(d * u * (sigmoid + g * sigmoid * (1 - sigmoid)));
      result.dup.push_back(d * g * sigmoid);
    }
  }
  return result;
}

std::vector<double> scatter_add_rows(ConstMatrix x, std::span<const std::int32_t> rows,
                                     ConstMatrix old) {
  std::vector<double> y = dense(old);
  for (std::int64_t r = 0; r < x.rows; ++r) {
    for (std::int64_t i = 0; i < x.cols; ++i)
      y[static_cast<std::size_t>(rows[static_cast<std::size_t>(r)] * x.cols + i)] +=
          double{x.row(r)[i]};
  }
  return y;
}

std::vector<double> add(ConstMatrix x, ConstMatrix old) {
  std::vector<double> y = dense(old);
  const std::vector<double> other = dense(x);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] += other[i];
  return y;
}

AdamWState adamw_step(const AdamWState& old, double gradient, const AdamW& options) {
  const double g = gradient * options.gradient_scale;
  const auto t = static_cast<double>(options.step);
  AdamWState state = old;
  state.value *= 1 - options.learning_rate * options.weight_decay;
  state.first += (1 - options.beta1) * (g - state.first);
  state.second = options.beta2 * state.second + (1 - options.beta2) * g * g;
  const double root = std::sqrt(state.second) / std::sqrt(1 - std::pow(options.beta2, t));
  state.value -= options.learning_rate / (1 - std::pow(options.beta1, t)) * state.first /
                 (root + options.epsilon);
  return state;
}

}  // namespace laurel::kernels::reference
