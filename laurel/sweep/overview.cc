#include "laurel/sweep/overview.h"

#include <algorithm>
#include <map>

#include "laurel/base/error.h"
#include "laurel/base/progress.h"

namespace laurel::sweep {
namespace {

std::optional<double> figure(const PointRecord& record, const std::string& name) {
  if (!record.figures) return std::nullopt;
  if (name == "overall") return record.figures->overall;
  for (const auto& [subset, score] : record.figures->subsets) {
    if (subset == name) return score;
  }
  return std::nullopt;
}

// Names of parts in the order in which points bring them up.
std::vector<std::string> part_names(const std::vector<PointRecord>& points) {
  std::vector<std::string> names;
  for (const PointRecord& record : points) {
    if (!record.figures) continue;
    for (const auto& [name, score] : record.figures->subsets) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  return names;
}

std::vector<std::string> axis_names(const std::vector<PointRecord>& points) {
  std::vector<std::string> names;
  for (const PointRecord& record : points) {
    for (const auto& [name, value] : record.point.axes.items()) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  return names;
}

std::vector<PointRecord> sorted(std::vector<PointRecord> points, const std::string& sort,
                                const std::vector<std::string>& parts) {
  if (sort == "grid") return points;
  if (sort != "overall" && std::find(parts.begin(), parts.end(), sort) == parts.end()) {
    throw UserError("--sort: expected grid, overall or one of {}, got {}", fmt::join(parts, ", "),
                    sort);
  }
  std::stable_sort(points.begin(), points.end(), [&](const PointRecord& a, const PointRecord& b) {
    const std::optional<double> x = figure(a, sort), y = figure(b, sort);
    if (x.has_value() != y.has_value()) return x.has_value();
    if (x && *x != *y) return *x > *y;
    return a.point.name < b.point.name;
  });
  return points;
}

using Row = std::vector<std::string>;

std::string percent_text(const std::optional<double>& share) {
  return share ? fmt::format("{:.1f}", 100 * *share) : "";
}

std::vector<Row> rows_of(const std::vector<PointRecord>& points,
                         const std::vector<std::string>& parts) {
  const std::vector<std::string> axes = axis_names(points);
  Row head = {"point", "base", "mix"};
  head.insert(head.end(), axes.begin(), axes.end());
  head.insert(head.end(), {"status", "overall"});
  head.insert(head.end(), parts.begin(), parts.end());
  std::vector<Row> rows = {std::move(head)};
  for (const PointRecord& record : points) {
    Row row = {record.point.name, record.point.base, record.point.mix};
    for (const std::string& name : axes) {
      const auto value = record.point.axes.find(name);
      row.push_back(value == record.point.axes.end() ? "" : value_text(*value));
    }
    row.push_back(std::string(to_string(record.status)));
    row.push_back(percent_text(figure(record, "overall")));
    for (const std::string& name : parts) row.push_back(percent_text(figure(record, name)));
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string text_table(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths(rows[0].size());
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}  ", row[i], widths[i]);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == text.npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string csv_table(const std::vector<Row>& rows) {
  std::string text;
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) text += (i > 0 ? "," : "") + csv_cell(row[i]);
    text += "\n";
  }
  return text;
}

std::string markdown_table(const std::vector<Row>& rows) {
  std::string text;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    text += "|";
    for (const std::string& cell : rows[r]) {
      text += ' ';
      for (const char c : cell) text += c == '|' ? std::string("\\|") : std::string(1, c);
      text += " |";
    }
    text += "\n";
    if (r > 0) continue;
    text += "|";
    for (std::size_t i = 0; i < rows[0].size(); ++i) text += "---|";
    text += "\n";
  }
  return text;
}

// Fractions, not percent, for programs.
std::string json_table(const std::vector<PointRecord>& points) {
  Json list = Json::array();
  for (const PointRecord& record : points) {
    Json json = {{"point", record.point.name}, {"base", record.point.base}};
    json["mix"] = record.point.mix;
    json["options"] = record.point.axes;
    json["status"] = to_string(record.status);
    json["attempts"] = record.attempts;
    json["model"] = record.point.model;
    const std::optional<double> overall = figure(record, "overall");
    json["overall"] = overall ? Json(*overall) : Json();
    json["subsets"] = Json::object();
    if (record.figures) {
      for (const auto& [name, score] : record.figures->subsets) json["subsets"][name] = score;
    }
    list.push_back(std::move(json));
  }
  return to_text(list);
}

// Of the jobs of one kind that are left, at the mean time of those done.
std::optional<double> seconds_left(const std::vector<Job>& jobs, JobKind kind) {
  double done = 0;
  std::int64_t num_done = 0, num_left = 0;
  for (const Job& job : jobs) {
    if (job.kind != kind) continue;
    if (job.status == JobStatus::kFinished) {
      ++num_done;
      done += job.seconds;
    } else if (job.status != JobStatus::kFailed) {
      ++num_left;
    }
  }
  if (num_left == 0) return 0;
  if (num_done == 0) return std::nullopt;
  return done / static_cast<double>(num_done) * static_cast<double>(num_left);
}

}  // namespace

std::string status_text(const std::filesystem::path& directory, Records& records, int num_jobs) {
  std::map<JobStatus, std::int64_t> counts;
  const std::vector<PointRecord> points = records.points();
  for (const PointRecord& record : points) ++counts[record.status];
  std::string text =
      fmt::format("{} points: {} finished, {} running, {} queued, {} failed\n", points.size(),
                  counts[JobStatus::kFinished], counts[JobStatus::kRunning],
                  counts[JobStatus::kQueued], counts[JobStatus::kFailed]);
  const std::vector<Job> jobs = records.jobs();
  const auto training = seconds_left(jobs, JobKind::kTrain);
  const auto evaluation = seconds_left(jobs, JobKind::kEvaluate);
  if (training && evaluation && *training + *evaluation > 0) {
    text += fmt::format("about {} left with {} at once\n",
                        format_duration((*training + *evaluation) / num_jobs), num_jobs);
  }
  for (const Job& job : jobs) {
    if (job.status != JobStatus::kFailed) continue;
    text += fmt::format("failed: {}: {}\n  log: {}\n", job.name, job.error,
                        job_log(directory, job.name).string());
  }
  return text;
}

std::string points_table(const std::vector<PointRecord>& points, TableFormat format,
                         const std::string& sort) {
  const std::vector<std::string> parts = part_names(points);
  const std::vector<PointRecord> ordered = sorted(points, sort, parts);
  if (format == TableFormat::kJson) return json_table(ordered);
  const std::vector<Row> rows = rows_of(ordered, parts);
  if (format == TableFormat::kCsv) return csv_table(rows);
  return format == TableFormat::kMarkdown ? markdown_table(rows) : text_table(rows);
}

}  // namespace laurel::sweep
