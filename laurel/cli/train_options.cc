#include "laurel/cli/train_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <set>

#include "laurel/base/error.h"
#include "laurel/base/nearest.h"
#include "laurel/cli/app.h"
#include "laurel/cli/data_options.h"
#include "laurel/formats/yaml.h"

namespace laurel::cli {
namespace {

// Not part of the run: they say how this start is made.
const std::set<std::string>& start_options() {
  static const std::set<std::string> names = {"config", "resume", "overwrite"};
  return names;
}

// Free to change on resume. The data's and the base's contents are compared by fingerprint.
const std::set<std::string>& free_options() {
  static const std::set<std::string> names = {
      "output-dir",    "model",          "data",         "threads",          "cache-dir",
      "recompute",     "save-steps",     "save-minutes", "keep-checkpoints", "logging-steps",
      "eval-steps",    "eval-on-start",  "eval-data",    "eval-benchmark",   "eval-benchmark-data",
      "export-epochs", "skip-nonfinite", "dtype",        "max-shard-size",   "merge-lora",
      "skip-bad-rows", "decontaminate"};
  return names;
}

template <typename T>
CLI::Option* add(CLI::App& command, const char* name, T& value, const char* meaning,
                 const char* type) {
  return command.add_option(name, value, meaning)->type_name(type)->capture_default_str();
}

// One value each time it is given, so that a list may hold spaces and the next word is not taken.
CLI::Option* add_list(CLI::App& command, const char* name, std::vector<std::string>& value,
                      const char* meaning, const char* type) {
  return command.add_option(name, value, meaning)->type_name(type)->allow_extra_args(false);
}

void add_row_options(CLI::App& command, TrainOptions& options) {
  add_data_options(command, options.data);
  command.get_option("--data")->required(false);  // a configuration file may name it
  command.add_flag("--ignore-margin", options.ignore_margin, "Do not use the rows' margins");
  command
      .add_option("--chat-template", options.encoder.template_file,
                  "Jinja file used instead of the base's template")
      ->type_name("FILE");
  command
      .add_option("--date", options.encoder.template_date,
                  "Date for templates that print today's, as YYYY-MM-DD")
      ->type_name("DATE");
}

void add_loss_options(CLI::App& command, TrainOptions& options) {
  train::LossOptions& loss = options.run.loss;
  command
      .add_option("--loss", options.loss,
                  "bradley-terry (of ranked lists: the mean over all pairs) or plackett-luce")
      ->check(CLI::IsMember({"bradley-terry", "plackett-luce"}))
      ->capture_default_str();
  add(command, "--label-smoothing", loss.label_smoothing, "Share of labels taken to be wrong", "X");
  add(command, "--center-rewards-coefficient", loss.center_coefficient,
      "Weight of the squared sum of a pair's rewards, which keeps them around zero", "X");
}

void add_schedule_options(CLI::App& command, TrainOptions& options) {
  train::ScheduleOptions& schedule = options.run.schedule;
  add(command, "--learning-rate", schedule.learning_rate, "The highest learning rate", "X");
  command
      .add_option("--lr-scheduler-type", options.scheduler,
                  "How the learning rate falls after the warm-up")
      ->check(CLI::IsMember({"linear", "cosine", "constant"}))
      ->capture_default_str();
  add(command, "--warmup-steps", schedule.warmup_steps, "Steps of rising learning rate", "N");
  add(command, "--warmup-ratio", schedule.warmup_ratio,
      "The same as a share of all steps, if no number is given", "X");
  command.add_flag("--schedule-like-open-instruct", schedule.like_open_instruct,
                   "Decay over num-epochs times as many steps, as open-instruct's trainer does");
}

void add_optimizer_options(CLI::App& command, train::OptimizerOptions& optimizer) {
  add(command, "--weight-decay", optimizer.weight_decay, "AdamW's decoupled weight decay", "X");
  add(command, "--adam-beta1", optimizer.beta1, "AdamW's first decay rate", "X");
  add(command, "--adam-beta2", optimizer.beta2, "AdamW's second decay rate", "X");
  add(command, "--adam-epsilon", optimizer.epsilon, "AdamW's epsilon", "X");
  add(command, "--max-grad-norm", optimizer.max_grad_norm,
      "Gradients are scaled down to this norm; 0: never", "X");
}

void add_length_options(CLI::App& command, TrainOptions& options) {
  train::RunOptions& run = options.run;
  add(command, "--train-batch-size", run.batch_size, "Pairs (or ranked lists) per step", "N");
  add(command, "--gradient-accumulation-steps", run.accumulation_steps,
      "Parts that a step is computed in; memory and rounding only", "N");
  add(command, "--batch-tokens", run.batch_tokens,
      "Tokens computed at once; larger parts are cut further; memory and rounding only", "N");
  add(command, "--num-epochs", run.num_epochs, "Passes over the data", "N");
  add(command, "--max-steps", run.max_steps, "Steps, instead of epochs; 0: by epochs", "N");
  add(command, "--seed", options.seed, "Seed of order, new head, adapters and held-out split", "N");
  command.add_flag("--no-shuffle", options.no_shuffle, "Keep the mix's order in every epoch");
}

void add_model_options(CLI::App& command, TrainOptions& options) {
  command.add_flag("--reset-head", options.model_options.reset_head,
                   "New score head even if the base has one");
  add(command, "--freeze-layers", options.model_options.freeze_layers,
      "Embedding and first layers that stay as they are; computed once per example", "N");
  add(command, "--lora-rank", options.lora_rank,
      "Train low-rank adapters and the head only; 0: all weights", "N");
  add(command, "--lora-alpha", options.lora.alpha, "Scale of the adapters, divided by the rank",
      "X");
  add_list(command, "--lora-targets", options.lora.targets,
           "Matrix that gets an adapter; repeatable (default: all seven of a layer)", "NAME");
  command
      .add_option("--recompute", options.recompute,
                  "What backward computes again: none, attention, block, or the least that fits")
      ->check(CLI::IsMember({"auto", "none", "attention", "block"}))
      ->capture_default_str();
  command.add_option("--threads", options.num_threads, "Threads (default: all usable cores)")
      ->type_name("N")
      ->check(CLI::Range(1, 4096));
}

void add_evaluation_options(CLI::App& command, TrainOptions& options) {
  add_list(command, "--eval-data", options.eval_data, "Held-out rows, as --data; repeatable",
           "SOURCE");
  add(command, "--eval-split", options.eval_split,
      "Share of the mix that is held out, if there is no --eval-data", "X");
  add(command, "--eval-steps", options.run.eval_steps,
      "Evaluate every so many steps, and at the end; 0: at the end", "N");
  command.add_flag("--eval-on-start", options.run.eval_on_start,
                   "Evaluate before the first step too");
  add_list(command, "--eval-benchmark", options.benchmarks,
           "Benchmark of laurel eval to run as well; repeatable", "NAME");
  add_list(command, "--eval-benchmark-data", options.benchmark_data,
           "Its file; one for each benchmark, or several for one", "FILE");
  add(command, "--logging-steps", options.run.logging_steps,
      "Steps between lines where there is no terminal; 0: no lines", "N");
}

void add_safety_options(CLI::App& command, TrainOptions& options) {
  train::RunOptions& run = options.run;
  run.save_minutes = 30;
  add(command, "--save-steps", run.save_steps, "Checkpoint every so many steps; 0: by time only",
      "N");
  add(command, "--save-minutes", run.save_minutes,
      "Checkpoint when the last one is so old; 0: by steps only", "X");
  add(command, "--keep-checkpoints", run.keep_checkpoints,
      "Last checkpoints that stay; the best evaluated one stays besides", "N");
  command.add_flag("--resume", options.resume, "Go on from the output directory's last checkpoint");
  command.add_flag("--overwrite", options.overwrite, "Remove the run in the output directory");
  command.add_flag("--skip-nonfinite", run.skip_nonfinite,
                   "Leave out and count updates with NaN or infinite numbers, instead of stopping");
  command
      .add_option("--cache-dir", run.cache_directory,
                  "Where tokenized sources and frozen layers' states stay for other runs")
      ->type_name("DIR");
}

void add_result_options(CLI::App& command, TrainOptions& options) {
  command
      .add_option("--dtype", options.dtype,
                  "Element type of the written model: f32 (as trained) or bf16 (half the size)")
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->capture_default_str();
  command
      .add_option("--max-shard-size", options.max_shard_bytes,
                  "Largest weight file, with unit (5GB, 500MB)")
      ->transform(CLI::AsSizeValue(true).description(""))
      ->check(CLI::PositiveNumber.description(""))
      ->default_str("5GB")
      ->type_name("SIZE");
  command.add_flag("--merge-lora", options.merge_lora,
                   "Write the whole model with the adapters in its weights");
  command.add_flag("--export-epochs", options.run.export_epochs,
                   "Write the model after every epoch too, as epoch-N/");
}

// The option's words for a value of a configuration file.
std::vector<std::string> words_of(const Json& value, const std::string& where) {
  if (value.is_string()) return {value.get<std::string>()};
  if (value.is_number() || value.is_boolean()) return {value.dump()};
  if (!value.is_array())
    throw UserError("{}: expected a value or a list, got {}", where, value.type_name());
  std::vector<std::string> words;
  for (const Json& item : value) {
    if (item.is_structured() || item.is_null()) {
      throw UserError("{}: expected plain values in the list, got {}", where, to_line(item));
    }
    words.push_back(words_of(item, where).at(0));
  }
  return words;
}

// A number written as text becomes one, so that 2e-5 and 2e-05 are equal.
Json typed(const Json& value) {
  if (value.is_array()) {
    Json list = Json::array();
    for (const Json& item : value) list.push_back(typed(item));
    return list;
  }
  if (!value.is_string()) return value;
  const Json number = Json::parse(value.get<std::string>(), nullptr, false);
  return number.is_number() ? number : value;
}

void check_required(const TrainOptions& options) {
  if (options.model.empty()) throw UserError("option model: missing, expected a base model");
  if (options.output_dir.empty()) {
    throw UserError("option output-dir: missing, expected a directory name");
  }
  if (options.data.mix.empty()) throw UserError("option data: missing, expected a source");
  if (options.resume && options.overwrite) {
    throw UserError("options resume and overwrite: expected one of them, got both");
  }
}

void check_evaluation(const TrainOptions& options) {
  if (!(options.eval_split >= 0 && options.eval_split < 1)) {
    throw UserError("option eval-split: expected 0 or more and less than 1, got {}",
                    options.eval_split);
  }
  if (options.eval_split > 0 && !options.eval_data.empty()) {
    throw UserError("options eval-split and eval-data: expected one of them, got both");
  }
  const std::size_t benchmarks = options.benchmarks.size(), files = options.benchmark_data.size();
  if ((benchmarks == 0) != (files == 0) || (benchmarks > 1 && benchmarks != files)) {
    throw UserError(
        "option eval-benchmark-data: expected a file for each benchmark, got {} for {} benchmarks",
        files, benchmarks);
  }
}

}  // namespace

void add_train_options(CLI::App& command, TrainOptions& options) {
  command
      .add_option("--config", options.config,
                  "YAML file with options by name; the command line wins")
      ->type_name("FILE");
  command
      .add_option("--model", options.model,
                  "Base: a directory, or org/name[@revision] in the Hugging Face cache; with or "
                  "without a score head")
      ->type_name("M");
  command.add_option("--output-dir", options.output_dir, "The run's directory")->type_name("DIR");
  add_row_options(command, options);
  add_length_options(command, options);
  add_schedule_options(command, options);
  add_optimizer_options(command, options.run.optimizer);
  add_loss_options(command, options);
  add_model_options(command, options);
  add_evaluation_options(command, options);
  add_safety_options(command, options);
  add_result_options(command, options);
}

void apply_config_file(CLI::App& command, const std::string& file) {
  const Json config = formats::read_yaml_file(file);
  if (config.is_null()) return;
  if (!config.is_object()) throw UserError("{}: expected options by name", file);
  std::vector<std::string> known;
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_single_name() != "help") known.push_back(option->get_single_name());
  }
  for (const auto& [key, value] : config.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      const std::string hint = nearest_name(key, known);
      throw UserError(
          "{}: unknown key {}{}", file, key,
          hint.empty() ? "; see laurel train --help" : fmt::format("; did you mean {}?", hint));
    }
    CLI::Option* option = command.get_option("--" + key);
    const bool is_flag = option->get_items_expected_max() == 0;
    if (is_flag && !value.is_boolean()) {
      throw UserError("{}: key {}: expected true or false, got {}", file, key, to_line(value));
    }
    if (value.is_null() || (is_flag && !value.get<bool>()) || option->count() > 0) continue;
    const auto words = words_of(value, file + ": key " + key);
    if (words.empty()) continue;
    option->add_result(words);
    option->run_callback();
  }
}

void finish_train_options(TrainOptions& options) {
  check_required(options);
  check_evaluation(options);
  if (options.lora_rank < 0) {
    throw UserError("option lora-rank: expected 0 or more, got {}", options.lora_rank);
  }
  if (options.lora_rank > 0) {
    options.lora.rank = options.lora_rank;
    options.model_options.lora = options.lora;
  } else if (options.merge_lora) {
    throw UserError("option merge-lora: needs lora-rank, expected more than 0, got 0");
  }
  options.run.loss.kind = options.loss == "plackett-luce" ? train::LossKind::kPlackettLuce
                                                          : train::LossKind::kBradleyTerry;
  options.run.schedule.kind = options.scheduler == "linear"   ? train::ScheduleKind::kLinear
                              : options.scheduler == "cosine" ? train::ScheduleKind::kCosine
                                                              : train::ScheduleKind::kConstant;
  options.model_options.seed = options.seed;
  options.run.sampler.seed = options.seed;
  options.run.sampler.shuffle = !options.no_shuffle;
  options.data.cache_directory = options.run.cache_directory;
}

Json effective_options(const CLI::App& command) {
  Json effective = Json::object();
  const Json values = option_values(command);
  for (const auto& [name, value] : values.items()) {
    if (!start_options().contains(name) && !value.is_null()) effective[name] = typed(value);
  }
  return effective;
}

Json identity_options(const Json& effective) {
  Json identity = Json::object();
  for (const auto& [name, value] : effective.items()) {
    if (!free_options().contains(name)) identity[name] = value;
  }
  return identity;
}

}  // namespace laurel::cli
