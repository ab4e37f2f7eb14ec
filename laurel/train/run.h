// A training run from its first step, or from its last checkpoint, to its end.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "laurel/data/training_set.h"
#include "laurel/model/trainable_model.h"
#include "laurel/schema/run_record.h"
#include "laurel/train/loss.h"
#include "laurel/train/optimizer.h"
#include "laurel/train/run_directory.h"
#include "laurel/train/sampler.h"
#include "laurel/train/schedule.h"

namespace laurel::train {

struct RunOptions {
  std::int64_t batch_size = 8;  // examples per step
  std::int64_t accumulation_steps = 1;
  std::int64_t batch_tokens = 4096;  // rows of a pack
  std::int64_t num_epochs = 1;
  std::int64_t max_steps = 0;
  SamplerOptions sampler;
  ScheduleOptions schedule;
  OptimizerOptions optimizer;
  LossOptions loss;
  bool skip_nonfinite = false;        // leave out updates that are not finite, instead of stopping
  std::int64_t eval_steps = 0;        // evaluate every so many steps, and at the end; 0: at the end
  bool eval_on_start = false;         // and before the first step
  std::int64_t save_steps = 0;        // checkpoint every so many steps; 0: never
  double save_minutes = 0;            // and when the last one is so old; 0: never
  std::int64_t keep_checkpoints = 2;  // the last ones; the best evaluated one stays besides
  std::int64_t logging_steps = 10;
  bool export_epochs = false;
  std::filesystem::path cache_directory;  // of frozen layers' states, to be kept; empty: none kept
  std::string cache_key;                  // fingerprint of what determines them
};

// What the run is made of, and what it asks others for.
struct RunParts {
  model::TrainableModel& model;
  const data::TrainingSet& training;
  const data::TrainingSet& evaluation;  // held-out examples; may be empty
  // Everything that determines the result, by option name: must be equal on resume.
  Json identity = Json::object();
  schema::RunRecord record;  // facts known beforehand; the run keeps it up to date in run.json
  // Runs benchmarks on the model as it is after `step`; may be empty.
  std::function<std::vector<schema::RunEvaluation>(std::int64_t step)> run_benchmarks;
  // Writes the model: into the run's directory, or as a directory of its own that is not there yet.
  std::function<void(const std::filesystem::path& directory, bool is_new)> export_model;
};

struct RunOutcome {
  schema::RunRecord record;  // as in run.json: finished or stopped
  int signal = 0;            // that stopped it
  std::int64_t num_skipped = 0;
};

// Steps of a run with these options over so many examples.
RunLength run_length(const RunOptions& options, std::int64_t num_examples);

// Examples that a micro-batch may hold.
inline std::int64_t examples_together(const RunOptions& options) {
  return (options.batch_size - 1) / options.accumulation_steps + 1;
}

// Throws UserError naming the option that is out of range, before anything is written.
void check_run_options(const RunOptions& options, std::int64_t num_examples);

// Throws UserError if the directory holds a checkpoint of a run with another identity.
void check_same_run(const RunDirectory& directory, const Json& identity);

// Trains, from the last checkpoint if the directory holds one. Weights after a resume have the bits
// of a run that was never stopped. Throws UserError for options out of range or other than the
// run's, and for losses or gradients that are not finite (naming the rows); IoError for a disk that
// fails. run.json then says "failed" and why, and the last checkpoint is whole.
RunOutcome run(const RunOptions& options, RunParts parts, const RunDirectory& directory,
               ThreadPool& pool);

}  // namespace laurel::train
