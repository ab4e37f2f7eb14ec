#include "laurel/bench/summarize.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>

#include "laurel/base/error.h"
#include "laurel/bench/aggregation.h"
#include "laurel/bench/bootstrap.h"

namespace laurel::bench {
namespace {

using schema::BenchmarkResult;
using schema::Figure;
using schema::FigureGroup;
using schema::ScoredExample;

// A figure with the replicates behind its interval, so that figures above it can be built from
// them.
struct Part {
  Figure figure;
  Replicates replicates;
};

Part mean_part(const std::string& name, std::span<const double> values, std::uint64_t seed) {
  Part part;
  part.figure = {name, mean(values), static_cast<std::int64_t>(values.size()), std::nullopt};
  part.replicates = bootstrap_mean(values, seed);
  part.figure.interval = interval_of(part.replicates);
  return part;
}

// The weighted mean of parts.
Part combined_part(const std::string& name, const std::vector<Part>& parts,
                   const std::vector<double>& weights) {
  Part part;
  part.figure.name = name;
  std::vector<Replicates> replicates;
  double total = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    part.figure.score += weights[i] * parts[i].figure.score;
    part.figure.num_examples += parts[i].figure.num_examples;
    total += weights[i];
    replicates.push_back(parts[i].replicates);
  }
  part.figure.score /= total;
  part.replicates = combine(replicates, weights);
  part.figure.interval = interval_of(part.replicates);
  return part;
}

Part plain_mean(const std::string& name, const std::vector<Part>& parts) {
  return combined_part(name, parts, std::vector<double>(parts.size(), 1.0));
}

FigureGroup group_of(std::string key, std::string title, const std::vector<Part>& parts) {
  FigureGroup group{std::move(key), std::move(title), {}};
  for (const Part& part : parts) group.figures.push_back(part.figure);
  return group;
}

std::span<const double> right_scores(const ScoredExample& example) {
  return std::span(example.scores).first(static_cast<std::size_t>(example.num_correct));
}
std::span<const double> wrong_scores(const ScoredExample& example) {
  return std::span(example.scores).subspan(static_cast<std::size_t>(example.num_correct));
}

// The results of each subset, in the order in which subsets first occur.
std::vector<std::pair<std::string, std::vector<double>>> results_by_subset(
    const std::vector<ScoredExample>& examples) {
  std::vector<std::pair<std::string, std::vector<double>>> subsets;
  std::map<std::string, std::size_t> index;
  for (const ScoredExample& example : examples) {
    const auto [place, is_new] = index.emplace(example.subset, subsets.size());
    if (is_new) subsets.push_back({example.subset, {}});
    subsets[place->second].second.push_back(example.result);
  }
  return subsets;
}

Part ties_part(const std::vector<ScoredExample>& examples, std::uint64_t seed,
               BenchmarkResult& result) {
  std::vector<TiesPair> pairs;
  bool complete = false;
  for (const auto& [number, pair] : ties_pairs(examples)) {
    pairs.push_back(pair);
    complete |= pair.tied && pair.ref;
  }
  if (!complete)
    throw UserError("subset Ties: expected at least one tied:N row with its ref:N row, got none");
  const TiesScore score = ties_score(pairs);
  result.measures = {
      {"ties_tied_accuracy", "Ties: accuracy of tied rows", score.tied_accuracy},
      {"ties_ref_accuracy", "Ties: accuracy of reference rows", score.ref_accuracy},
      {"ties_preferred", "Ties: gap beats spread", score.preferred},
      {"ties_preferred_hard", "Ties: gap beats spread, reference too", score.preferred_hard},
      {"ties_margin", "Ties: tie-break margin", score.margin}};
  Part part;
  const auto num_rows =
      std::count_if(examples.begin(), examples.end(),
                    [](const ScoredExample& example) { return example.subset == "Ties"; });
  part.figure = {"Ties", score.score(), num_rows, std::nullopt};
  part.replicates = bootstrap(pairs.size(), seed, [&](std::span<const std::size_t> sample) {
    std::vector<TiesPair> drawn;
    for (const std::size_t index : sample) drawn.push_back(pairs[index]);
    return ties_score(drawn).score();
  });
  part.figure.interval = interval_of(part.replicates);
  return part;
}

void summarize_reward_bench_2(std::vector<ScoredExample>& examples, std::uint64_t seed,
                              BenchmarkResult& result) {
  for (ScoredExample& example : examples) example.result = best_of_n_result(example.scores);
  std::map<std::string, std::vector<double>> values;
  for (const ScoredExample& example : examples) values[example.subset].push_back(example.result);
  std::vector<Part> parts;
  for (const std::string& subset : reward_bench_2_subsets()) {
    if (!values.contains(subset)) {
      result.missing.push_back(subset);
    } else if (subset == "Ties") {
      parts.push_back(ties_part(examples, seed + parts.size(), result));
    } else {
      parts.push_back(mean_part(subset, values[subset], seed + parts.size()));
    }
  }
  result.overall = plain_mean("Overall", parts).figure;
  result.overall_note = result.missing.empty()
                            ? "plain mean of the six subsets"
                            : "plain mean of the subsets present; not the benchmark's score";
  result.groups.push_back(group_of("subsets", "Subsets", parts));
}

void summarize_reward_bench(std::vector<ScoredExample>& examples, std::uint64_t seed,
                            BenchmarkResult& result) {
  for (ScoredExample& example : examples)
    example.result = pair_result(example.scores[0], example.scores[1]);
  std::map<std::string, Part> subsets;
  std::vector<Part> all;
  for (const auto& [name, values] : results_by_subset(examples)) {
    all.push_back(mean_part(name, values, seed + all.size()));
    subsets[name] = all.back();
  }
  std::vector<Part> sections;
  for (const Section& section : reward_bench_sections()) {
    std::vector<Part> parts;
    std::vector<double> weights;
    for (const auto& [name, weight] : section.subsets) {
      if (const auto found = subsets.find(name); found != subsets.end()) {
        parts.push_back(found->second);
        weights.push_back(weight);
      } else {
        result.missing.push_back(name);
      }
    }
    if (!parts.empty()) sections.push_back(combined_part(section.name, parts, weights));
  }
  if (sections.empty()) {
    throw UserError("subset: expected subsets of RewardBench (alpacaeval-easy, …), got \"{}\"",
                    examples.front().subset);
  }
  result.overall = plain_mean("Overall", sections).figure;
  result.overall_note = "plain mean of the sections; a section weights its subsets";
  result.groups.push_back(group_of("sections", "Sections", sections));
  result.groups.push_back(group_of("subsets", "Subsets", all));
}

// Means over the prompts of one domain.
struct DomainParts {
  Part total, easy, normal, hard;
};

DomainParts domain_parts(const std::string& domain, const std::vector<StyleWins>& prompts,
                         std::uint64_t seed) {
  const auto part = [&](double (StyleWins::*value)() const) {
    std::vector<double> values;
    for (const StyleWins& wins : prompts) values.push_back((wins.*value)());
    return mean_part(domain, values, seed);  // one seed: the same draws for all four
  };
  return {part(&StyleWins::total), part(&StyleWins::easy), part(&StyleWins::normal),
          part(&StyleWins::hard)};
}

schema::StyleMatrix style_matrix(const std::vector<std::vector<StyleWins>>& domains) {
  schema::StyleMatrix matrix{{"concise", "detailed", "markdown"},
                             std::vector<std::vector<double>>(3, std::vector<double>(3, 0.0))};
  for (const std::vector<StyleWins>& prompts : domains) {
    const auto weight = 1.0 / static_cast<double>(prompts.size() * domains.size());
    for (const StyleWins& wins : prompts) {
      for (std::size_t i = 0; i < 3; ++i) {
        for (std::size_t j = 0; j < 3; ++j) matrix.share[i][j] += weight * wins.wins[i][j];
      }
    }
  }
  return matrix;
}

void summarize_rm_bench(std::vector<ScoredExample>& examples, std::uint64_t seed,
                        BenchmarkResult& result) {
  std::map<std::string, std::vector<StyleWins>> by_domain;
  for (ScoredExample& example : examples) {
    by_domain[example.subset].push_back(style_wins(example.scores));
    example.result = by_domain[example.subset].back().total();
  }
  std::vector<Part> totals, easy, normal, hard;
  std::vector<std::vector<StyleWins>> domains;
  for (const std::string domain : {"chat", "math", "code", "safety"}) {
    if (!by_domain.contains(domain)) {
      result.missing.push_back(domain);
      continue;
    }
    domains.push_back(by_domain[domain]);
    DomainParts parts = domain_parts(domain, domains.back(), seed + domains.size());
    totals.push_back(std::move(parts.total));
    easy.push_back(std::move(parts.easy));
    normal.push_back(std::move(parts.normal));
    hard.push_back(std::move(parts.hard));
  }
  result.overall = plain_mean("Overall", totals).figure;
  result.overall_note = result.missing.empty()
                            ? "plain mean of the four domains"
                            : "plain mean of the domains present; not the benchmark's score";
  result.groups.push_back(group_of("domains", "Domains", totals));
  result.groups.push_back(
      group_of("difficulty", "Difficulty (by style)",
               {plain_mean("easy", easy), plain_mean("normal", normal), plain_mean("hard", hard)}));
  result.matrix = style_matrix(domains);
}

// Accuracy where the chosen answer is the shorter one, about as long, or the longer one.
FigureGroup length_buckets(const std::vector<ScoredExample>& examples, std::uint64_t seed) {
  const std::vector<std::string> names = {"chosen shorter", "similar length", "chosen longer"};
  std::vector<std::vector<double>> values(3);
  for (const ScoredExample& example : examples) {
    const auto chosen = static_cast<double>(example.lengths[0]);
    const auto rejected = static_cast<double>(example.lengths[1]);
    const std::size_t bucket = chosen < 0.8 * rejected ? 0 : rejected < 0.8 * chosen ? 2 : 1;
    values[bucket].push_back(example.result);
  }
  std::vector<Part> parts;
  for (std::size_t i = 0; i < 3; ++i) {
    if (!values[i].empty()) parts.push_back(mean_part(names[i], values[i], seed + i));
  }
  return group_of("by_length", "By length of the answers", parts);
}

void summarize_preference(std::vector<ScoredExample>& examples, std::uint64_t seed,
                          BenchmarkResult& result) {
  std::vector<double> results, margins;
  for (ScoredExample& example : examples) {
    example.result = pair_result(example.scores[0], example.scores[1]);
    results.push_back(example.result);
    margins.push_back(example.scores[0] - example.scores[1]);
  }
  const Part overall = mean_part("accuracy", results, seed);
  result.overall = overall.figure;
  result.overall_note = "share of pairs whose chosen answer has the strictly higher reward";
  result.groups.push_back(group_of("all", "All pairs", {overall}));
  result.groups.push_back(length_buckets(examples, seed + 1));
  std::vector<Part> subsets;
  for (const auto& [name, values] : results_by_subset(examples)) {
    if (!name.empty()) subsets.push_back(mean_part(name, values, seed + 4 + subsets.size()));
  }
  if (!subsets.empty()) result.groups.push_back(group_of("subsets", "Subsets", subsets));
  const double margin = mean(margins);
  std::sort(margins.begin(), margins.end());
  const std::size_t half = margins.size() / 2;
  const double median =
      margins.size() % 2 == 1 ? margins[half] : (margins[half - 1] + margins[half]) / 2;
  result.measures = {{"mean_margin", "Mean margin (chosen − rejected)", margin},
                     {"median_margin", "Median margin", median}};
}

double worst_gap(const ScoredExample& example) {
  return *std::ranges::min_element(right_scores(example)) -
         *std::ranges::max_element(wrong_scores(example));
}

// The examples whose worst right answer trails the best wrong one by most.
void add_mistakes(const std::vector<Example>& examples, std::size_t max_mistakes,
                  BenchmarkResult& result) {
  std::vector<std::pair<double, std::size_t>> gaps;
  for (std::size_t i = 0; i < result.examples.size(); ++i) {
    const double gap = worst_gap(result.examples[i]);
    result.num_ties += gap == 0;
    if (gap < 0) gaps.push_back({gap, i});
  }
  std::sort(gaps.begin(), gaps.end());
  // No subset fills the whole list: rewards of Ties rows, say, differ more widely than others.
  const std::size_t max_per_subset = std::max<std::size_t>(
      5, max_mistakes / std::max<std::size_t>(1, results_by_subset(result.examples).size()));
  std::map<std::string, std::size_t> taken;
  for (const auto& [gap, index] : gaps) {
    const ScoredExample& scored = result.examples[index];
    if (result.mistakes.size() == max_mistakes || taken[scored.subset]++ >= max_per_subset)
      continue;
    const auto right = static_cast<std::size_t>(std::ranges::min_element(right_scores(scored)) -
                                                right_scores(scored).begin());
    const auto wrong = static_cast<std::size_t>(std::ranges::max_element(wrong_scores(scored)) -
                                                wrong_scores(scored).begin() + scored.num_correct);
    const auto& conversations = examples[index].conversations;
    result.mistakes.push_back({scored.id, scored.subset, prompt_text(conversations[wrong]),
                               answer_text(conversations[right]), answer_text(conversations[wrong]),
                               scored.scores[right], scored.scores[wrong]});
  }
}

}  // namespace

BenchmarkResult summarize(Benchmark benchmark, const std::vector<Example>& examples,
                          std::vector<ScoredExample> scored, const SummarizeOptions& options) {
  BenchmarkResult result;
  result.benchmark = to_string(benchmark);
  switch (benchmark) {
    case Benchmark::kRewardBench2:
      summarize_reward_bench_2(scored, options.bootstrap_seed, result);
      break;
    case Benchmark::kPreference:
      summarize_preference(scored, options.bootstrap_seed, result);
      break;
    case Benchmark::kRmBench:
      summarize_rm_bench(scored, options.bootstrap_seed, result);
      break;
    case Benchmark::kRewardBench:
      summarize_reward_bench(scored, options.bootstrap_seed, result);
      break;
  }
  result.examples = std::move(scored);
  add_mistakes(examples, options.max_mistakes, result);
  return result;
}

}  // namespace laurel::bench
