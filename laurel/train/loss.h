// Losses over the rewards of one example's completions, best first, with their gradients. All in
// float64: a reward difference never passes through log(sigmoid).
#pragma once

#include <span>
#include <string_view>

namespace laurel::train {

enum class LossKind {
  // -log σ(r_i - r_j - margin), the mean over all pairs i < j; the usual loss for two completions
  // (Bradley and Terry 1952; Ouyang et al., arXiv 2203.02155, for more).
  kBradleyTerry,
  // Negative log likelihood of the whole ranking: Σ_k [ log Σ_{j≥k} exp r_j - r_k ] (Plackett 1975,
  // Luce 1959). Two completions: the same as kBradleyTerry without margin.
  kPlackettLuce,
};

std::string_view to_string(LossKind kind);  // "bradley-terry", "plackett-luce"

struct LossOptions {
  LossKind kind = LossKind::kBradleyTerry;
  // Share of labels taken to be wrong, ε in -(1-ε)·log σ(Δ) - ε·log σ(-Δ). Bradley–Terry only.
  double label_smoothing = 0;
  // λ in + λ · Σ over pairs (r_i + r_j)² / pairs, which keeps rewards around zero (Eisenstein et
  // al., arXiv 2312.09244, eq. 2). For more than two completions the mean over pairs as well.
  double center_coefficient = 0;
};

// Throws UserError naming the option for values outside their range or that do not go together.
void check_loss_options(const LossOptions& options);

// The loss of one example and its gradient with respect to every reward, which is written to
// d_rewards (same size as rewards, at least 2). `margin`: subtracted from each difference;
// Bradley–Terry only.
double example_loss(std::span<const double> rewards, double margin, const LossOptions& options,
                    std::span<double> d_rewards);

}  // namespace laurel::train
