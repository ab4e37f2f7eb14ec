// The options of `laurel train`: declared once, for the command line and for --config.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "laurel/base/json.h"
#include "laurel/data/build.h"
#include "laurel/model/trainable_model.h"
#include "laurel/train/export.h"
#include "laurel/train/run.h"

namespace laurel::cli {

struct TrainOptions {
  std::string config;
  std::string model;
  std::string output_dir;
  bool resume = false;
  bool overwrite = false;
  int num_threads = 0;

  data::BuildOptions data;
  data::EncoderOptions encoder;
  bool ignore_margin = false;
  std::vector<std::string> eval_data;
  double eval_split = 0;
  std::vector<std::string> benchmarks;
  std::vector<std::string> benchmark_data;

  train::RunOptions run;
  std::string loss = "bradley-terry";
  std::string scheduler = "linear";
  std::uint64_t seed = 1;  // of order, head, adapters and the evaluation split
  bool no_shuffle = false;

  model::TrainableOptions model_options;
  std::int64_t lora_rank = 0;  // 0: no LoRA
  model::LoraOptions lora;
  std::string recompute = "auto";

  std::string dtype = "f32";
  std::uint64_t max_shard_bytes = 5'000'000'000;
  bool merge_lora = false;
};

// Declares them on the command; what is parsed lands in `options`.
void add_train_options(CLI::App& command, TrainOptions& options);

// Sets what the file names and the command line does not. Call between parsing and using the
// values. Throws UserError naming file and key for a key that is no option (with the nearest one as
// a hint), CLI::ParseError for a bad value.
void apply_config_file(CLI::App& command, const std::string& file);

// Values that follow from others: seeds, LoRA. Throws UserError for values that do not go together.
void finish_train_options(TrainOptions& options);

// All options but those that only say how to start, with numbers as numbers: run.yaml, run.json.
Json effective_options(const CLI::App& command);

// Of the effective options, those that determine the trained weights.
Json identity_options(const Json& effective);

}  // namespace laurel::cli
