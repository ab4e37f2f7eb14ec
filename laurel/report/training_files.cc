// Reads a run's directory for the training report.
#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/report/training_report.h"

namespace laurel::report {
namespace {

Json read_if_there(const std::filesystem::path& path) {
  return std::filesystem::exists(path) ? read_json_file(path) : Json();
}

// A run that is killed while it writes a line leaves the line without its end.
std::vector<schema::StepMetrics> read_steps(const std::filesystem::path& path) {
  std::vector<schema::StepMetrics> steps;
  if (!std::filesystem::exists(path)) return steps;
  const std::string text = read_file(path);
  std::size_t number = 0;
  for (std::size_t begin = 0, end; begin < text.size(); begin = end + 1) {
    end = text.find('\n', begin);
    if (end == std::string::npos) break;
    const std::string where = path.string() + ":" + std::to_string(++number);
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    steps.push_back(schema::parse_step_metrics(parse_json(line, where), where));
  }
  return steps;
}

}  // namespace

TrainingReportInput read_training_run(const std::filesystem::path& directory) {
  TrainingReportInput input;
  // "runs/a/" has an empty last component.
  input.name = directory.has_filename() ? directory.filename().string()
                                        : directory.parent_path().filename().string();
  const std::filesystem::path record = directory / "run.json";
  if (const Json json = read_if_there(record); !json.is_null()) {
    input.record = schema::run_record_from_json(json, record.string());
  }
  input.data_summary = read_if_there(directory / "data_summary.json");
  input.steps = read_steps(directory / "metrics.jsonl");
  if (!input.record && input.data_summary.is_null() && input.steps.empty()) {
    throw UserError("{}: not a training run, expected run.json or metrics.jsonl",
                    directory.string());
  }
  return input;
}

}  // namespace laurel::report
