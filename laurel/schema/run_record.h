// run.json: the record that a training run keeps of itself. Written by train, read by sweep,
// publish, card and report.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "laurel/base/json.h"
#include "laurel/schema/named_scores.h"

namespace laurel::schema {

enum class RunStatus { kRunning, kStopped, kFinished, kFailed };

// "running", "stopped", "finished", "failed".
std::string_view to_string(RunStatus status);

// The checkpoint that the run started from.
struct RunBase {
  std::string name;      // as given with --model
  std::string revision;  // empty for a local directory
  std::string hash;      // of its weights
  std::string architecture;
  std::int64_t num_parameters = 0;
  std::string license;  // empty when unknown
};

// A source of the mix.
struct RunSource {
  std::string name;           // path or hub name, as given with --data
  std::int64_t num_rows = 0;  // examples that the run trained on
  std::string license;        // empty when unknown
};

// RunEvaluation::benchmark of the run's own held-out pairs; `overall` is then their accuracy.
inline constexpr std::string_view kHeldOut = "held-out";

// A benchmark run on the model after `step`. Scores are fractions 0…1.
struct RunEvaluation {
  std::int64_t step = 0;
  std::string benchmark;  // "reward-bench-2", …, or kHeldOut
  double overall = 0;
  NamedScores subsets;         // in the benchmark's order
  std::optional<double> loss;  // of held-out pairs
};

struct RunMachine {
  std::string isa;
  int num_threads = 0;
  std::int64_t peak_memory_bytes = 0;
};

struct RunRecord {
  std::string laurel_version;
  RunStatus status = RunStatus::kRunning;
  std::string error;              // why it failed; empty otherwise
  Json options = Json::object();  // effective ones, by name without dashes in front
  RunBase base;
  std::vector<RunSource> data;
  std::int64_t steps = 0;   // optimizer steps done
  double epochs = 0;        // passes over the data done
  double seconds = 0;       // of work, over all starts of the run
  std::int64_t tokens = 0;  // a shared prompt counted in each sequence that holds it
  RunMachine machine;
  Json final = Json::object();  // the last line of metrics.jsonl
  std::vector<RunEvaluation> evaluations;
};

Json to_json(const RunRecord& record);

// Reads what to_json wrote. Members may be missing (then they keep their defaults) and unknown ones
// are skipped; a member of a wrong type or an unknown status is a UserError that begins with
// `where`.
RunRecord run_record_from_json(const Json& json, std::string_view where);

}  // namespace laurel::schema
