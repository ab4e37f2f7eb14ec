#include "laurel/sweep/results.h"

#include <algorithm>
#include <fstream>

#include "laurel/base/json_reader.h"

namespace laurel::sweep {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kErrorMark = "laurel: error: ";
constexpr std::streamoff kTail = 1 << 16;

}  // namespace

std::optional<schema::RunRecord> read_run_record(const fs::path& run) {
  const fs::path path = run / "run.json";
  if (!fs::is_regular_file(path)) return std::nullopt;
  return schema::run_record_from_json(read_json_file(path), path.string());
}

bool is_finished_run(const fs::path& run) {
  const std::optional<schema::RunRecord> record = read_run_record(run);
  if (!record || record->status != schema::RunStatus::kFinished) return false;
  return is_adapter(run) || fs::is_regular_file(run / "config.json");
}

std::optional<Figures> read_figures(const fs::path& evaluation) {
  const fs::path path = evaluation / "summary.json";
  if (!fs::is_regular_file(path)) return std::nullopt;
  const Json json = read_json_file(path);
  const JsonReader summary(json, path.string());
  Figures figures;
  figures.overall = get_number(json, "overall", summary.where());
  for (const char* group : {"sections", "domains", "subsets"}) {
    if (!summary.has(group)) continue;
    const JsonReader parts = summary.child(group);
    for (const auto& [name, unused] : parts.object().items()) {
      const auto score = get_number(parts.child(name).object(), "score", parts.where());
      if (score) figures.subsets.emplace_back(name, *score);
    }
    break;
  }
  return figures;
}

bool is_adapter(const fs::path& model) {
  return fs::is_regular_file(model / "adapter_config.json");
}

std::string last_message(const fs::path& log) {
  std::ifstream file(log, std::ios::binary);
  file.seekg(0, std::ios::end);
  const std::streamoff size = file.tellg();
  file.seekg(std::max<std::streamoff>(0, size - kTail));
  std::string line, last, error;
  while (std::getline(file, line)) {
    if (const std::size_t redrawn = line.rfind('\r'); redrawn != line.npos)
      line.erase(0, redrawn + 1);
    if (line.find_first_not_of(' ') == line.npos) continue;
    last = line;
    if (line.starts_with(kErrorMark)) error = line.substr(kErrorMark.size());
  }
  return error.empty() ? last : error;
}

}  // namespace laurel::sweep
