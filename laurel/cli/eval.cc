// laurel eval: a benchmark's figures, files and report, from a model or from stored scores.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <vector>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/base/progress.h"
#include "laurel/base/version.h"
#include "laurel/bench/readers.h"
#include "laurel/bench/result_files.h"
#include "laurel/bench/score_examples.h"
#include "laurel/bench/scorer_source.h"
#include "laurel/bench/summarize.h"
#include "laurel/cli/app.h"
#include "laurel/cli/commands.h"
#include "laurel/cli/manifest.h"
#include "laurel/cli/scorer_options.h"
#include "laurel/report/report.h"

namespace laurel::cli {
namespace {

struct EvalOptions {
  scoring::ScorerOptions scorer;
  std::string benchmark;
  std::vector<std::string> data;
  std::string scores;
  std::string output;
  bool overwrite = false;
};

schema::ModelInfo model_info(const scoring::ModelFacts& facts, const std::string& adapter) {
  schema::ModelInfo model;
  model.name = facts.name;
  model.adapter = adapter;
  model.architecture = facts.architecture;
  model.revision = facts.revision;
  model.hash = facts.hash;
  model.tokenizer_hash = facts.tokenizer_hash;
  model.dtype = facts.dtype;
  model.isa = facts.isa;
  model.num_parameters = facts.num_parameters;
  model.num_threads = facts.num_threads;
  return model;
}

std::vector<schema::ScoredExample> run_model(const std::vector<bench::Example>& examples,
                                             const scoring::Scorer& scorer) {
  bench::ScorerSource source(scorer);
  Progress progress("evaluating", "conversations");
  bench::ScoreExamplesOptions options;
  options.on_progress = [&](std::int64_t done, std::int64_t total) {
    progress.update(done, total);
  };
  return bench::score_examples(examples, source, options);
}

void add_run(const scoring::Scorer& scorer, const std::string& adapter,
             schema::BenchmarkResult& result) {
  const scoring::ScoreStatistics counts = scorer.statistics();
  result.model = model_info(scorer.facts(), adapter);
  result.rule = schema::to_json(scorer.rule());
  result.rule_text = schema::describe(scorer.rule());
  result.run = {counts.num_conversations, counts.sequence_tokens, counts.physical_tokens,
                counts.seconds};
}

void write_results(const EvalOptions& options, const CLI::App& command,
                   const schema::BenchmarkResult& result,
                   const std::vector<bench::Example>& examples, const bench::RenderText& render,
                   bench::ResultDirectory& directory) {
  bench::RunManifest manifest;
  manifest.laurel_version = version();
  manifest.options = option_values(command);
  manifest.data_files = options.data;
  if (!options.scores.empty()) manifest.scores_file = bench::find_scores_file(options.scores);
  bench::write_result_files(directory.staging(), result, examples, render, manifest);
  write_file(directory.staging() / "report.html", report::html_report(result));
  directory.commit();
}

void run_eval(const EvalOptions& options, const CLI::App& command) {
  if (options.scorer.model.empty() == options.scores.empty()) {
    throw UserError("laurel eval: expected either --model or --scores");
  }
  const bench::Benchmark benchmark = bench::benchmark_from_string(options.benchmark);
  bench::ResultDirectory directory(options.output, options.overwrite);
  const std::vector<bench::Example> examples = bench::read_examples(benchmark, options.data);

  schema::BenchmarkResult result;
  std::unique_ptr<scoring::Scorer> scorer;
  bench::RenderText render;
  if (options.scores.empty()) {
    scorer = std::make_unique<scoring::Scorer>(options.scorer);
    print_streaming(*scorer, options.scorer);
    result = bench::summarize(benchmark, examples, run_model(examples, *scorer));
    add_run(*scorer, options.scorer.adapter, result);
    render = [&](const bench::Example& example, std::size_t index) {
      return scorer->render(example.conversations[index]).value_or_throw();
    };
  } else {
    const std::string file = bench::find_scores_file(options.scores);
    result = bench::summarize(benchmark, examples, bench::read_scores(examples, file));
    bench::adopt_manifest(file, result);
  }
  write_results(options, command, result, examples, render, directory);
  fmt::print("{}  report: {}/report.html\n", report::text_report(result), options.output);
}

}  // namespace

void add_eval(CLI::App& app) {
  auto options = std::make_shared<EvalOptions>();
  CLI::App& command = add_command(
      app, "eval", "Evaluate a reward model on a benchmark", "Score and evaluate",
      "laurel eval --model org/name --benchmark reward-bench-2 --data test.jsonl --output results");
  command.add_option("--benchmark", options->benchmark, "Which benchmark the data are")
      ->required()
      ->check(CLI::IsMember({"reward-bench-2", "preference", "rm-bench", "reward-bench"}));
  command
      .add_option("--data", options->data,
                  "Rows in the benchmark's own form: JSONL or a JSON array (plain, gzip or zstd), "
                  "or Parquet; repeatable")
      ->required()
      ->type_name("FILE");
  command
      .add_option("--output", options->output,
                  "Directory for scores, summary, manifest and report.html")
      ->required()
      ->type_name("DIR");
  command.add_flag("--overwrite", options->overwrite,
                   "Replace an earlier evaluation in the output directory");
  command
      .add_option("--scores", options->scores,
                  "Instead of a model: JSONL rows {\"id\", \"scores\"}, chosen first, or a "
                  "reward-bench scores file")
      ->type_name("FILE");
  add_scorer_options(command, options->scorer);
  command.callback([options, &command] { run_eval(*options, command); });
}

}  // namespace laurel::cli
