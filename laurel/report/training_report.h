// A training run for people: a self-contained HTML page of curves and facts, at the end of a run or
// at any time before.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "laurel/base/json.h"
#include "laurel/schema/run_record.h"
#include "laurel/schema/step_metrics.h"

namespace laurel::report {

// What a run's directory holds for the page. Parts that are not there yet are absent, null or
// empty.
struct TrainingReportInput {
  std::string name;                         // of the run, for the headline
  std::optional<schema::RunRecord> record;  // run.json
  Json data_summary;                        // data_summary.json
  std::vector<schema::StepMetrics> steps;   // metrics.jsonl
};

// Reads run.json, data_summary.json and metrics.jsonl of a run that may be going on: a last line
// that is cut off is left out. Throws UserError for a directory with none of them and for damaged
// files.
TrainingReportInput read_training_run(const std::filesystem::path& directory);

// The whole page. Works with whatever is there; all text from outside is escaped.
std::string training_report(const TrainingReportInput& input);

}  // namespace laurel::report
