// The points of a sweep and the training runs that give them.
#pragma once

#include <string>
#include <vector>

#include "laurel/base/json.h"
#include "laurel/sweep/config.h"

namespace laurel::sweep {

// One model of the family.
struct Point {
  std::string name;  // e.g. "smol-tulu-lr3e-6-ep2": unique, a file name, the same for the same grid
  std::string base;  // keys
  std::string mix;
  Json axes = Json::object();     // the grid's options and this point's values
  Json options = Json::object();  // all options of its training, axes included, but no paths
  std::string run;                // the TrainingRun that makes it
  std::string model;              // its directory within the sweep's: "runs/NAME[/epoch-N]"
};

// One `laurel train`.
struct TrainingRun {
  std::string name;               // that of its longest point
  Json options = Json::object();  // of the run; "export-epochs" when several points share it
};

// bases × mixes × axes, the last axis fastest.
std::vector<Point> make_points(const SweepConfig& config);

// Fills in run and model. Points that differ in "num-epochs" only share a run of the most epochs
// where a shorter run would take the same steps: a constant learning rate, no warm-up that depends
// on the length, no limit of steps, whole numbers of epochs. `scheduler` is what
// "lr-scheduler-type" is when not given.
std::vector<TrainingRun> plan_runs(std::vector<Point>& points, const std::string& scheduler);

// A value as people write it: 3e-6, not 3e-06; text without quotes.
std::string value_text(const Json& value);

}  // namespace laurel::sweep
