// A run's state on disk: checkpoints/step-NNNNNNNN, each there as a whole or not at all.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include "laurel/base/json.h"
#include "laurel/model/trainable_model.h"
#include "laurel/train/optimizer.h"

namespace laurel::train {

// What a resumed run must know besides the tensors.
struct RunState {
  std::int64_t step = 0;         // steps done
  std::int64_t num_updates = 0;  // of the optimizer: without skipped steps
  std::int64_t num_tokens = 0;   // sums since the run's first start
  std::int64_t num_skipped = 0;
  double seconds = 0;
  std::optional<double> best_value;  // of evaluations so far
  std::int64_t best_step = 0;
  Json evaluations = Json::array();  // as in run.json
  // What determines the result, by option name; "data" and "base" are fingerprints.
  Json identity = Json::object();
};

// Writes the checkpoint of state.step under `directory`, unless it is there already (a step has one
// state). Throws IoError, also for a full disk; other checkpoints are untouched then.
void write_checkpoint(const std::filesystem::path& directory, const RunState& state,
                      std::span<const model::Parameter> parameters, const Optimizer& optimizer);

// Steps with a whole checkpoint, ascending; empty if there is no such directory.
std::vector<std::int64_t> checkpoint_steps(const std::filesystem::path& directory);

// Fills parameters and optimizer from the checkpoint of `step`. Throws UserError for damaged files,
// tensors of other names or shapes.
RunState read_checkpoint(const std::filesystem::path& directory, std::int64_t step,
                         std::span<model::Parameter> parameters, Optimizer& optimizer);
// state.json only.
RunState read_state(const std::filesystem::path& directory, std::int64_t step);

// Removes all checkpoints but the last `keep` and that of best_step, and what killed writers left.
void prune_checkpoints(const std::filesystem::path& directory, std::int64_t keep,
                       std::int64_t best_step);

// Throws UserError naming the first option whose value in a new start differs from the run's.
void check_identity(const Json& of_run, const Json& now, const std::filesystem::path& run);

}  // namespace laurel::train
