// laurel bench: what this machine can do, what scoring and training make of it, and where time
// goes.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <vector>

#include "laurel/base/error.h"
#include "laurel/base/progress.h"
#include "laurel/base/version.h"
#include "laurel/bench/mini.h"
#include "laurel/cli/app.h"
#include "laurel/cli/commands.h"
#include "laurel/cli/conversation_file.h"
#include "laurel/cli/manifest.h"
#include "laurel/cli/scorer_options.h"
#include "laurel/hub/resolve.h"
#include "laurel/kernels/ops.h"
#include "laurel/profile/breakdown.h"
#include "laurel/profile/machine_rates.h"
#include "laurel/profile/training_load.h"
#include "laurel/schema/scoring_rule.h"
#include "laurel/scoring/scorer.h"
#include "laurel/train/memory_plan.h"

namespace laurel::cli {
namespace {

struct BenchOptions {
  scoring::ScorerOptions scorer;
  std::string input;
  std::int64_t num_rows = 40;
  std::int64_t num_pairs = 16;
  bool json = false;
};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::vector<scoring::Conversation> mini_conversations(std::int64_t num_rows) {
  bench::MiniOptions mini;
  mini.size = std::max<std::int64_t>(12, num_rows);
  std::vector<bench::MiniRow> rows = bench::make_mini(mini);
  rows.resize(static_cast<std::size_t>(num_rows));
  std::vector<scoring::Conversation> conversations;
  for (const bench::MiniRow& row : rows) {
    for (const auto* answers : {&row.chosen, &row.rejected}) {
      for (const std::string& answer : *answers)
        conversations.push_back(schema::Messages{{"user", row.prompt}, {"assistant", answer}});
    }
  }
  return conversations;
}

std::vector<scoring::Conversation> read_conversations(const BenchOptions& options) {
  if (options.input.empty()) return mini_conversations(options.num_rows);
  std::vector<scoring::Conversation> conversations =
      read_conversation_file(options.input, options.num_rows);
  if (conversations.empty()) throw UserError("{}: expected rows, got none", options.input);
  return conversations;
}

std::vector<Json> mini_preferences(std::int64_t count) {
  bench::MiniOptions mini;
  mini.split = bench::MiniSplit::kTrain;
  mini.size = std::max<std::int64_t>(12, count);
  std::vector<Json> pairs;
  for (const bench::MiniRow& row : bench::make_mini(mini)) {
    for (Json& pair : bench::mini_pairs(row)) pairs.push_back(std::move(pair));
  }
  pairs.resize(std::min(pairs.size(), static_cast<std::size_t>(count)));
  return pairs;
}

struct ScoringProfile {
  profile::Breakdown breakdown;
  schema::ComputeType compute;
};

// Rewards of all conversations, once the weights are in memory and the threads awake.
ScoringProfile profile_scoring(const BenchOptions& options, const profile::MachineRates& rates) {
  const scoring::Scorer scorer(options.scorer);
  print_streaming(scorer, options.scorer);
  const std::vector<scoring::Conversation> conversations = read_conversations(options);
  scorer.score(std::span(conversations).first(std::min<std::size_t>(8, conversations.size())));
  const scoring::ScoreStatistics before = scorer.statistics();
  kernels::OpClock clock;
  for (Result<scoring::Reward>& reward : scorer.score(conversations)) {
    std::move(reward).value_or_throw();
  }
  const scoring::ScoreStatistics after = scorer.statistics();
  profile::Breakdown breakdown =
      profile::break_down(clock.counts(), after.seconds - before.seconds, rates);
  breakdown.sequence_tokens = after.sequence_tokens - before.sequence_tokens;
  breakdown.physical_tokens = after.physical_tokens - before.physical_tokens;
  return {std::move(breakdown), scorer.rule().compute};
}

struct TrainingProfile {
  profile::Breakdown breakdown;
  model::Recompute recompute;
};

// The second of two steps.
TrainingProfile profile_training(const BenchOptions& options, const profile::MachineRates& rates,
                                 ThreadPool& pool) {
  const hub::ResolvedModel files = hub::resolve_model(options.scorer.model);
  profile::TrainingLoad load(
      files.directory,
      profile::preference_set(mini_preferences(options.num_pairs), files.directory), pool);
  load.step();
  kernels::OpClock clock;
  const auto start = std::chrono::steady_clock::now();
  const train::ObjectiveSums sums = load.step();
  profile::Breakdown breakdown = profile::break_down(clock.counts(), seconds_since(start), rates);
  breakdown.sequence_tokens = sums.num_tokens;
  breakdown.physical_tokens = sums.computed_tokens;
  return {std::move(breakdown), load.recompute()};
}

void print_machine(const profile::MachineRates& rates, int num_threads) {
  fmt::print("machine   {} threads, {}\n", num_threads, kernels::active_isa());
  fmt::print(
      "          {:.0f} GFLOP/s on registers, {:.0f} in matrix products ({:.2f}), {:.1f} GB/s\n",
      rates.peak_flops / 1e9, rates.product_flops / 1e9, rates.product_flops / rates.peak_flops,
      rates.memory_bytes / 1e9);
}

void print_pass(const char* name, const std::string& what, const profile::Breakdown& pass,
                const profile::MachineRates& rates, std::string_view rest) {
  fmt::print("\n{:<10}{}: {} tokens ({} computed) in {:.2f} s, {} tokens/s\n", name, what,
             format_count(pass.sequence_tokens), format_count(pass.physical_tokens), pass.seconds,
             format_count(static_cast<std::int64_t>(pass.tokens_per_second())));
  fmt::print("          {:.0f} GFLOP/s, {:.2f} of matrix products\n", pass.flops_per_second() / 1e9,
             pass.flops_per_second() / rates.product_flops);
  fmt::print("{}", to_table(pass, rest));
}

void run_bench(const BenchOptions& options) {
  ThreadPool pool(options.scorer.num_threads);
  const profile::MachineRates rates = profile::measure_machine(pool);
  if (!options.json) print_machine(rates, pool.num_threads());
  Json report = {{"laurel", version()},
                 {"isa", kernels::active_isa()},
                 {"threads", pool.num_threads()},
                 {"machine", to_json(rates)}};
  const ScoringProfile scoring = profile_scoring(options, rates);
  report["scoring"] = to_json(scoring.breakdown);
  report["scoring"]["compute"] = to_string(scoring.compute);
  if (!options.json) {
    print_pass("scoring", std::string(to_string(scoring.compute)), scoring.breakdown, rates,
               "text, tokens, packing");
  }
  if (options.num_pairs > 0) {
    try {
      const TrainingProfile training = profile_training(options, rates, pool);
      report["training"] = to_json(training.breakdown);
      report["training"]["recompute"] = train::to_string(training.recompute);
      if (!options.json) {
        print_pass("training",
                   fmt::format("all weights, recompute {}", train::to_string(training.recompute)),
                   training.breakdown, rates, "outside of ops");
      }
    } catch (const UserError& error) {
      report["training"] = {{"error", error.what()}};
      fmt::print(stderr, "training was not measured: {}\n", error.what());
    }
  }
  if (options.json) fmt::print("{}", to_text(report));
}

}  // namespace

void add_bench(CLI::App& app) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App& command = add_command(
      app, "bench", "Measure the machine, and where scoring and training spend their time",
      "Look inside", "laurel bench --model org/name");
  add_scorer_options(command, options->scorer);
  command.get_option("--model")->required();
  command
      .add_option("--input", options->input,
                  "JSONL of conversations to score (default: Laurel Mini's)")
      ->type_name("FILE");
  command.add_option("--rows", options->num_rows, "Rows to score, at most")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      .add_option("--pairs", options->num_pairs,
                  "Pairs of Laurel Mini in the training step; 0 leaves training out")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_flag("--json", options->json, "Print JSON");
  command.footer(command.get_footer() +
                 "\nEvery op is listed with its share of the time and what limits it: arithmetic "
                 "(the machine's "
                 "matrix\nproducts), memory, cache (faster than memory), or overhead (slower than "
                 "twice what both "
                 "allow).");
  command.callback([options] { run_bench(*options); });
}

}  // namespace laurel::cli
