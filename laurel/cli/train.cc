// laurel train: preference data and a base model in, a reward model out.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <memory>
#include <numeric>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/base/file_hash.h"
#include "laurel/base/hash.h"
#include "laurel/base/memory.h"
#include "laurel/base/progress.h"
#include "laurel/base/random.h"
#include "laurel/base/version.h"
#include "laurel/base/yaml_text.h"
#include "laurel/cli/app.h"
#include "laurel/cli/commands.h"
#include "laurel/cli/live_rewards.h"
#include "laurel/cli/manifest.h"
#include "laurel/cli/train_options.h"
#include "laurel/data/summary.h"
#include "laurel/formats/yaml.h"
#include "laurel/hub/resolve.h"
#include "laurel/kernels/ops.h"
#include "laurel/model/config.h"
#include "laurel/model/decoder_weights.h"
#include "laurel/model/trainable_weights.h"
#include "laurel/report/training_report.h"
#include "laurel/train/memory_plan.h"
#include "laurel/train/objective.h"

namespace laurel::cli {
namespace {

namespace fs = std::filesystem;

// The base checkpoint and what is known of it.
struct Base {
  hub::ResolvedModel files;
  model::ModelConfig config;
  formats::TensorStore tensors;
  train::PadToken pad;
  std::string hash;
};

Base open_base(const TrainOptions& options, ThreadPool& pool) {
  hub::ResolvedModel files = hub::resolve_model(options.model);
  if (!files.adapter.empty()) {
    throw UserError("{}: an adapter, expected a whole model; --merge-lora writes one",
                    options.model);
  }
  model::ModelConfig config = model::read_config(files.directory);
  formats::TensorStore tensors = formats::TensorStore::open(files.directory);
  std::vector<fs::path> paths = tensors.files();
  paths.push_back(files.directory / "config.json");
  std::sort(paths.begin(), paths.end());
  train::PadToken pad = train::choose_pad_token(files.directory, config.vocab_size);
  return {std::move(files), std::move(config), std::move(tensors), std::move(pad),
          fingerprint_files(paths, pool)};
}

// The license that the front matter of a README.md states; empty if there is none.
std::string stated_license(const fs::path& directory) {
  const fs::path path = directory / "README.md";
  if (!fs::is_regular_file(path)) return "";
  const std::string text = read_file(path);
  const std::size_t end = text.find("\n---", 3);
  if (!text.starts_with("---\n") || end == std::string::npos) return "";
  const Json matter = formats::parse_yaml(text.substr(4, end - 3), path.string());
  if (!matter.is_object()) return "";
  const auto license = matter.find("license");
  return license != matter.end() && license->is_string() ? license->get<std::string>() : "";
}

DType most_stored(const formats::TensorStore& tensors) {
  DType dtype = DType::kF32;
  std::size_t most = 0;
  for (const auto& [name, view] : tensors.tensors()) {
    if (view.data.size() > most) {
      most = view.data.size();
      dtype = view.dtype;
    }
  }
  return dtype;
}

struct Sets {
  data::TrainingSet training;
  data::TrainingSet evaluation;
};

// Moves a share of the examples, chosen by the seed, into a set of their own.
data::TrainingSet hold_out(data::TrainingSet& set, double share, std::uint64_t seed) {
  const std::size_t count = set.examples.size();
  const auto wanted = static_cast<std::size_t>(share * static_cast<double>(count));
  if (wanted == 0 || wanted == count) {
    throw UserError(
        "option eval-split: expected a share that holds out some of {} examples, got {}", count,
        share);
  }
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  Random(seed, "held out").shuffle(order);
  std::vector<bool> is_held(count, false);
  for (std::size_t i = 0; i < wanted; ++i) is_held[order[i]] = true;
  data::TrainingSet held, rest;
  for (std::size_t i = 0; i < count; ++i) {
    (is_held[i] ? held : rest).examples.push_back(std::move(set.examples[i]));
  }
  held.sources = set.sources;
  set.examples = std::move(rest.examples);
  return held;
}

Sets build_sets(const TrainOptions& options, const Base& base, const chat::Encoder& encoder,
                ThreadPool& pool) {
  data::BuildOptions build = options.data;
  build.vocab_size = base.config.vocab_size;
  Sets sets;
  sets.training = data::build_training_set(build, encoder, pool);
  fmt::print(stderr, "{}", data::summary_text(sets.training.summary));
  if (!options.eval_data.empty()) {
    build.mix = options.eval_data;
    sets.evaluation = data::build_training_set(build, encoder, pool);
  } else if (options.eval_split > 0) {
    sets.evaluation = hold_out(sets.training, options.eval_split, options.seed);
  }
  if (sets.training.examples.empty()) {
    throw UserError("option data: no example is left to train on, expected at least one");
  }
  if (options.ignore_margin) {
    for (data::TrainingSet* set : {&sets.training, &sets.evaluation}) {
      for (data::TrainingExample& example : set->examples) example.margin = 0;
    }
  }
  return sets;
}

std::string set_fingerprint(const data::TrainingSet& set) {
  Fingerprinter total;
  for (const data::TrainingExample& example : set.examples) {
    total.add(std::as_bytes(std::span(&example.margin, 1)));
    for (const auto& tokens : example.sequences) {
      const std::uint64_t length = tokens.size();
      total.add(std::as_bytes(std::span(&length, 1)));
      total.add(std::as_bytes(std::span(tokens)));
    }
  }
  return total.digest();
}

// One run of the command.
class TrainRun {
 public:
  TrainRun(TrainOptions options, const CLI::App& command)
      : options_(std::move(options)),
        effective_(effective_options(command)),
        pool_(options_.num_threads),
        directory_(options_.output_dir, options_.resume      ? train::StartMode::kResume
                                        : options_.overwrite ? train::StartMode::kOverwrite
                                                             : train::StartMode::kNew),
        base_(open_base(options_, pool_)),
        encoder_(data::load_training_encoder(base_.files.directory, options_.encoder)) {}

  void run() {
    if (options_.resume && directory_.is_finished()) {
      fmt::print("{}: the run is finished\n", options_.output_dir);
      return;
    }
    check_before_reading();
    read_benchmarks();
    sets_ = build_sets(options_, base_, encoder_, pool_);
    plan_memory();
    model::ModelConfig config = base_.config;
    if (!is_adapter()) config.vocab_size = base_.pad.vocab_size;
    model::TrainableModel model(config, std::move(base_.tensors), options_.model_options, pool_);
    // From here on the run exists: what follows is no fault of its input.
    directory_.clear_for_overwrite();
    train::check_same_run(directory_, identity());
    write_file(directory_.path() / "run.yaml", to_yaml(effective_));
    write_file(directory_.path() / "data_summary.json", to_text(sets_.training.summary));
    train_model(model);
  }

 private:
  bool is_adapter() const { return options_.model_options.lora && !options_.merge_lora; }

  // What is wrong whatever the data are is told before they are tokenized.
  void check_before_reading() const {
    train::check_run_options(options_.run, 1);
    model::check_options(base_.config, options_.model_options);
    model::check_stored(base_.config, base_.tensors);
  }

  void read_benchmarks() {
    if (options_.benchmarks.size() == 1) {
      benchmarks_.emplace_back(options_.benchmarks[0], options_.benchmark_data);
      return;
    }
    for (std::size_t i = 0; i < options_.benchmarks.size(); ++i) {
      benchmarks_.emplace_back(options_.benchmarks[i],
                               std::vector<std::string>{options_.benchmark_data[i]});
    }
  }

  void plan_memory() {
    const auto available = available_memory();
    train::MemoryQuestion question{base_.config, options_.model_options};
    question.stored = most_stored(base_.tensors);
    const train::RunOptions& run = options_.run;
    question.largest_pack =
        train::largest_pack_rows(sets_.training, train::examples_together(run), run.batch_tokens);
    question.largest_example = train::largest_pack_rows(sets_.training, 1, 1);
    question.largest_evaluated =
        benchmarks_.empty() ? train::largest_pack_rows(sets_.evaluation, train::kEvaluatedTogether,
                                                       run.batch_tokens)
                            : run.batch_tokens;
    question.choose_recompute = options_.recompute == "auto";
    question.options.recompute = options_.recompute == "block"       ? model::Recompute::kBlock
                                 : options_.recompute == "attention" ? model::Recompute::kAttention
                                                                     : model::Recompute::kNone;
    question.available = available.value_or(INT64_MAX);
    options_.model_options.recompute = train::plan_memory(question);
    const train::MemoryNeed need =
        train::memory_need(question, options_.model_options.recompute, question.largest_pack);
    fmt::print(stderr, "memory: {} planned (recompute {})\n",
               format_bytes(static_cast<std::uint64_t>(need.total())),
               train::to_string(options_.model_options.recompute));
  }

  schema::RunRecord facts() const {
    schema::RunRecord record;
    record.laurel_version = version();
    record.options = effective_;
    record.base = {options_.model,
                   base_.files.commit.empty() ? base_.files.revision : base_.files.commit,
                   base_.hash,
                   base_.config.architecture,
                   model::num_parameters(base_.config),
                   stated_license(base_.files.directory)};
    std::vector<std::int64_t> rows(sets_.training.sources.size());
    for (const data::TrainingExample& example : sets_.training.examples) {
      ++rows.at(static_cast<std::size_t>(example.source));
    }
    for (std::size_t i = 0; i < rows.size(); ++i) {
      record.data.push_back({sets_.training.sources[i], rows[i], ""});
    }
    record.machine.isa = kernels::active_isa();
    record.machine.num_threads = pool_.num_threads();
    return record;
  }

  Json identity() const {
    Json identity = identity_options(effective_);
    identity["model (fingerprint of the weights)"] = base_.hash;
    identity["data (fingerprint of the examples)"] = set_fingerprint(sets_.training);
    return identity;
  }

  train::ExportOptions export_options() const {
    train::ExportOptions result;
    result.base = base_.files.directory;
    result.base_name = options_.model;
    result.dtype = options_.dtype == "bf16" ? DType::kBF16 : DType::kF32;
    result.merge_lora = options_.merge_lora;
    result.max_shard_bytes = options_.max_shard_bytes;
    if (!options_.encoder.template_file.empty()) {
      result.chat_template = read_file(options_.encoder.template_file);
    }
    result.pad = base_.pad;
    return result;
  }

  schema::ModelInfo model_info(const model::TrainableModel& model) const {
    schema::ModelInfo info;
    info.name = fs::absolute(directory_.path()).lexically_normal().filename().string();
    info.architecture = base_.config.architecture;
    info.dtype = "F32";
    info.isa = kernels::active_isa();
    info.num_parameters = model::num_parameters(model.config());
    info.num_threads = pool_.num_threads();
    return info;
  }

  std::vector<schema::RunEvaluation> run_benchmarks(const model::TrainableModel& model,
                                                    std::int64_t step) {
    std::vector<schema::RunEvaluation> evaluations;
    for (const LiveBenchmark& benchmark : benchmarks_) {
      LiveRewards rewards(model, encoder_, options_.run.batch_tokens, pool_);
      evaluations.push_back(benchmark.run(rewards, encoder_, model_info(model), step,
                                          directory_.path() / "evaluations"));
    }
    return evaluations;
  }

  void train_model(model::TrainableModel& model) {
    options_.run.cache_key =
        fingerprint(fmt::format("{} {} {}", base_.hash, options_.model_options.freeze_layers,
                                set_fingerprint(sets_.training)));
    train::RunParts parts{model, sets_.training, sets_.evaluation, identity(), facts(), {}, {}};
    if (!benchmarks_.empty()) {
      parts.run_benchmarks = [&](std::int64_t step) { return run_benchmarks(model, step); };
    }
    parts.export_model = [&](const fs::path& target, bool is_new) {
      (is_new ? train::export_directory : train::export_model)(model, export_options(), target);
    };
    train::RunOutcome outcome = train::run(options_.run, std::move(parts), directory_, pool_);
    outcome.record.machine.peak_memory_bytes = peak_memory_bytes();
    directory_.write_record(outcome.record);
    write_file(directory_.path() / "report.html",
               report::training_report(report::read_training_run(directory_.path())));
    tell(outcome);
  }

  void tell(const train::RunOutcome& outcome) const {
    const schema::RunRecord& record = outcome.record;
    if (record.status == schema::RunStatus::kStopped) {
      fmt::print(stderr, "stopped after step {}; to go on: laurel train --config {} --resume\n",
                 record.steps, (directory_.path() / "run.yaml").string());
      throw CLI::RuntimeError(128 + outcome.signal);
    }
    fmt::print(
        "{}: {} steps, {} tokens in {}, peak memory {}{}; report: {}\n", options_.output_dir,
        format_count(record.steps), format_count(record.tokens), format_duration(record.seconds),
        format_bytes(static_cast<std::uint64_t>(record.machine.peak_memory_bytes)),
        outcome.num_skipped == 0 ? "" : fmt::format(", {} steps skipped", outcome.num_skipped),
        (directory_.path() / "report.html").string());
  }

  TrainOptions options_;
  Json effective_;
  mutable ThreadPool pool_;
  train::RunDirectory directory_;
  Base base_;
  chat::Encoder encoder_;
  std::vector<LiveBenchmark> benchmarks_;
  Sets sets_;
};

}  // namespace

void add_train(CLI::App& app) {
  auto options = std::make_shared<TrainOptions>();
  CLI::App& command =
      add_command(app, "train", "Train a reward model on preference data", "Train",
                  "laurel train --model org/base --data pairs.jsonl --output-dir runs/first");
  add_train_options(command, *options);
  command.callback([options, &command] {
    if (!options->config.empty()) apply_config_file(command, options->config);
    finish_train_options(*options);
    TrainRun(*options, command).run();
  });
}

}  // namespace laurel::cli
