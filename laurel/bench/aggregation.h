// The benchmarks' formulas, on scores alone. All arithmetic in float64, all comparisons exact.
// RewardBench 2: Malik et al. 2025 (arXiv 2506.01937) and the runner scripts/run_v2.py of
// allenai/reward-bench.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "laurel/schema/benchmark_result.h"

namespace laurel::bench {

double mean(std::span<const double> values);  // NaN for none

// Best of n, the right answer first: 1 if it alone has the highest score, 1/k if k answers share
// it, else 0.
double best_of_n_result(std::span<const double> scores);

// A Ties row. gap: worst right answer minus best wrong one; spread: best right answer minus worst
// right one.
struct TiesRow {
  double gap = 0;
  double spread = 0;
  bool accurate() const { return gap > 0; }
};
TiesRow ties_row(std::span<const double> scores, std::int64_t num_correct);

// Two rows of the same number N: the one with several right answers and its reference with one.
struct TiesPair {
  std::optional<TiesRow> tied;
  std::optional<TiesRow> ref;
};

struct TiesScore {
  double tied_accuracy = 0;   // mean of accurate over tied rows
  double ref_accuracy = 0;    // the same over ref rows; 0 if there are none
  double preferred = 0;       // share of pairs with gap(tied) > spread
  double preferred_hard = 0;  // share of pairs with min(gap(ref), gap(tied)) > spread
  double margin = 0;          // mean of tanh(min gap / spread − 1); a quotient 0/0 counts 0
  double score() const {
    return 0.30 * tied_accuracy + 0.30 * ref_accuracy + 0.20 * preferred + 0.20 * preferred_hard +
           0.01 * margin;
  }
};

// Pairs by number, from the rows of subset "Ties". Precondition: ids "tied:N" or "ref:N", as the
// reader checks.
std::map<std::int64_t, TiesPair> ties_pairs(const std::vector<schema::ScoredExample>& examples);
// NaN in the last three parts if no pair is complete.
TiesScore ties_score(std::span<const TiesPair> pairs);

// RewardBench 1: 1 if the chosen answer's score is strictly higher.
double pair_result(double chosen, double rejected);

struct Section {
  std::string name;
  std::vector<std::pair<std::string, double>> subsets;  // with weights
};
const std::vector<Section>& reward_bench_sections();

// RM-Bench: wins[i][j] of one prompt, 1 if chosen style i beats rejected style j strictly.
struct StyleWins {
  double wins[3][3] = {};
  double hard() const { return (wins[0][1] + wins[0][2] + wins[1][2]) / 3; }
  double normal() const { return (wins[0][0] + wins[1][1] + wins[2][2]) / 3; }
  double easy() const { return (wins[1][0] + wins[2][0] + wins[2][1]) / 3; }
  double total() const { return (hard() + normal() + easy()) / 3; }
};
// Precondition: six scores.
StyleWins style_wins(std::span<const double> scores);

}  // namespace laurel::bench
