#include "laurel/train/loss.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "laurel/base/error.h"

namespace laurel::train {
namespace {

// log(1 + e^x), exact to rounding for any x.
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

double sigmoid(double x) {
  const double small = std::exp(-std::abs(x));  // at most 1
  return (x >= 0 ? 1 : small) / (1 + small);
}

// Calls visit(i, j) for every better completion i and worse one j.
template <typename Visit>
void for_each_pair(std::size_t count, Visit visit) {
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = i + 1; j < count; ++j) visit(i, j);
  }
}

double num_pairs(std::size_t count) {
  return static_cast<double>(count) * static_cast<double>(count - 1) / 2;
}

double add_bradley_terry(std::span<const double> rewards, double margin, double smoothing,
                         std::span<double> d_rewards) {
  const double weight = 1 / num_pairs(rewards.size());
  double loss = 0;
  for_each_pair(rewards.size(), [&](std::size_t i, std::size_t j) {
    const double difference = rewards[i] - rewards[j] - margin;
    loss += weight * ((1 - smoothing) * softplus(-difference) + smoothing * softplus(difference));
    // σ(Δ) - (1 - ε), written so that it keeps its digits when σ(Δ) is close to 1
    const double slope = weight * (smoothing - sigmoid(-difference));
    d_rewards[i] += slope;
    d_rewards[j] -= slope;
  });
  return loss;
}

double add_plackett_luce(std::span<const double> rewards, std::span<double> d_rewards) {
  const std::size_t count = rewards.size();
  double loss = 0;
  for (std::size_t k = 0; k + 1 < count; ++k) {  // the best of those that are left
    const double largest =
        *std::max_element(rewards.begin() + static_cast<std::ptrdiff_t>(k), rewards.end());
    double sum = 0;
    for (std::size_t j = k; j < count; ++j) sum += std::exp(rewards[j] - largest);
    loss += largest - rewards[k] + std::log(sum);
    for (std::size_t j = k; j < count; ++j) d_rewards[j] += std::exp(rewards[j] - largest) / sum;
    d_rewards[k] -= 1;
  }
  return loss;
}

double add_centering(std::span<const double> rewards, double coefficient,
                     std::span<double> d_rewards) {
  const double weight = coefficient / num_pairs(rewards.size());
  double loss = 0;
  for_each_pair(rewards.size(), [&](std::size_t i, std::size_t j) {
    const double sum = rewards[i] + rewards[j];
    loss += weight * sum * sum;
    d_rewards[i] += 2 * weight * sum;
    d_rewards[j] += 2 * weight * sum;
  });
  return loss;
}

}  // namespace

std::string_view to_string(LossKind kind) {
  return kind == LossKind::kBradleyTerry ? "bradley-terry" : "plackett-luce";
}

void check_loss_options(const LossOptions& options) {
  if (!(options.label_smoothing >= 0 && options.label_smoothing < 0.5)) {
    throw UserError(
        "option label-smoothing: out of range, expected 0 or more and less than 0.5, "
        "got {}",
        options.label_smoothing);
  }
  if (!(options.center_coefficient >= 0 && std::isfinite(options.center_coefficient))) {
    throw UserError("option center-rewards-coefficient: out of range, expected 0 or more, got {}",
                    options.center_coefficient);
  }
  if (options.kind == LossKind::kPlackettLuce && options.label_smoothing > 0) {
    throw UserError(
        "option label-smoothing: does not go with loss plackett-luce, expected 0, "
        "got {}",
        options.label_smoothing);
  }
}

double example_loss(std::span<const double> rewards, double margin, const LossOptions& options,
                    std::span<double> d_rewards) {
  if (rewards.size() < 2 || d_rewards.size() != rewards.size()) {
    throw InternalError("example_loss: expected two rewards or more, got {}", rewards.size());
  }
  std::fill(d_rewards.begin(), d_rewards.end(), 0.0);
  double loss = options.kind == LossKind::kBradleyTerry
                    ? add_bradley_terry(rewards, margin, options.label_smoothing, d_rewards)
                    : add_plackett_luce(rewards, d_rewards);
  if (options.center_coefficient > 0) {
    loss += add_centering(rewards, options.center_coefficient, d_rewards);
  }
  return loss;
}

}  // namespace laurel::train
