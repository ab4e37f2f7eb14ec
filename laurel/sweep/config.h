// sweep.yaml: a family of reward models as a grid.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "laurel/base/json.h"
#include "laurel/schema/model_card.h"

namespace laurel::sweep {

struct SweepBase {
  std::string model;      // as `laurel train --model` takes it
  schema::CardBase card;  // its key names the base in the grid
};

struct SweepMix {
  std::vector<std::string> data;  // as `laurel train --data` takes it, each value by itself
  schema::CardMix card;
};

// An option of `laurel train` and the values that it takes.
struct SweepAxis {
  std::string option;  // without dashes in front
  std::vector<Json> values;
};

struct SweepEvaluation {
  schema::CardBenchmark card;
  std::vector<std::string> data;  // files
  Json options = Json::object();  // further ones of `laurel eval`
};

struct SweepConfig {
  std::vector<SweepBase> bases;  // those of the grid, in its order
  std::vector<SweepMix> mixes;
  std::vector<SweepAxis> axes;   // in the order of the file
  Json common = Json::object();  // options of `laurel train` for every point
  std::optional<SweepEvaluation> evaluation;
  schema::CardText card;
  Json source;  // the file as it is
};

// What the programs that a sweep runs can be told; names without dashes.
struct ProgramOptions {
  std::vector<std::string> train;
  std::vector<std::string> eval;
};

// Throws UserError that begins with `where` for unknown keys (with the nearest known one as a
// hint), for options that the sweep sets itself, and for values given twice.
SweepConfig parse_sweep_config(const Json& json, const ProgramOptions& known,
                               const std::string& where);
SweepConfig read_sweep_config(const std::filesystem::path& path, const ProgramOptions& known);

}  // namespace laurel::sweep
