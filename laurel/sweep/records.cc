#include "laurel/sweep/records.h"

#include <algorithm>

#include "laurel/base/error.h"

namespace laurel::sweep {
namespace {

constexpr std::int64_t kVersion = 1;
constexpr std::int64_t kLeftTheGrid = 1'000'000'000;  // position

constexpr const char* kTables = R"sql(
CREATE TABLE IF NOT EXISTS sweep (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS job (
  name TEXT PRIMARY KEY, kind TEXT NOT NULL, target TEXT NOT NULL, position INTEGER NOT NULL,
  options TEXT NOT NULL, status TEXT NOT NULL DEFAULT 'queued', attempts INTEGER NOT NULL DEFAULT 0,
  pid INTEGER, started TEXT, finished TEXT, seconds REAL, error TEXT);
CREATE TABLE IF NOT EXISTS point (
  name TEXT PRIMARY KEY, position INTEGER NOT NULL, base TEXT NOT NULL, mix TEXT NOT NULL,
  axes TEXT NOT NULL, options TEXT NOT NULL, run TEXT NOT NULL, model TEXT NOT NULL,
  training TEXT NOT NULL REFERENCES job (name), evaluation TEXT REFERENCES job (name), figures TEXT);
)sql";

JobStatus status_from_text(const std::string& text) {
  for (const JobStatus status :
       {JobStatus::kQueued, JobStatus::kRunning, JobStatus::kFinished, JobStatus::kFailed}) {
    if (text == to_string(status)) return status;
  }
  throw UserError("sweep.db: unknown status \"{}\"", text);
}

Json figures_json(const Figures& figures) {
  Json subsets = Json::object();
  for (const auto& [name, score] : figures.subsets) subsets[name] = score;
  return {{"overall", figures.overall ? Json(*figures.overall) : Json()},
          {"subsets", std::move(subsets)}};
}

Figures figures_from_text(const std::string& text) {
  const Json json = parse_json(text, "sweep.db: figures");
  Figures figures;
  figures.overall = get_number(json, "overall", "sweep.db: figures");
  for (const auto& [name, score] : json["subsets"].items()) {
    figures.subsets.emplace_back(name, score.get<double>());
  }
  return figures;
}

// Of a point, from its training and, when there is one, its evaluation.
JobStatus joint_status(JobStatus training, std::optional<JobStatus> evaluation) {
  if (training != JobStatus::kFinished || !evaluation) return training;
  // between its two jobs a point is on its way
  return *evaluation == JobStatus::kQueued ? JobStatus::kQueued : *evaluation;
}

}  // namespace

std::string_view to_string(JobStatus status) {
  switch (status) {
    case JobStatus::kQueued:
      return "queued";
    case JobStatus::kRunning:
      return "running";
    case JobStatus::kFinished:
      return "finished";
    case JobStatus::kFailed:
      return "failed";
  }
  return "";
}

std::filesystem::path job_log(const std::filesystem::path& directory, const std::string& job) {
  std::string name = job;
  std::replace(name.begin(), name.end(), '/', '-');
  return directory / "logs" / (name + ".log");
}

Records::Records(const std::filesystem::path& directory, bool must_exist)
    : database_(directory / "sweep.db", must_exist) {
  Transaction transaction(database_);
  database_.execute(kTables);
  database_.prepare("INSERT OR IGNORE INTO sweep VALUES ('version', ?1)").bind(1, kVersion).run();
  Statement version = database_.prepare("SELECT value FROM sweep WHERE key = 'version'");
  version.step();
  if (version.integer(0) != kVersion) {
    throw UserError("{}: expected version {} of the record, got {}",
                    (directory / "sweep.db").string(), kVersion, version.text(0));
  }
  transaction.commit();
}

bool Records::keep_known(const Point& point, std::int64_t position) {
  Statement known = database_.prepare("SELECT options FROM point WHERE name = ?1");
  if (!known.bind(1, point.name).step()) return false;
  if (known.text(0) != to_line(point.options)) {
    throw UserError(
        "point {}: options changed since it was recorded, expected {}, got {}; use another output "
        "directory",
        point.name, known.text(0), to_line(point.options));
  }
  database_.prepare("UPDATE point SET position = ?2 WHERE name = ?1")
      .bind(1, point.name)
      .bind(2, position)
      .run();
  return true;
}

void Records::add_job(const Job& job, std::int64_t position) {
  database_
      .prepare(
          "INSERT OR IGNORE INTO job (name, kind, target, position, options) "
          "VALUES (?1, ?2, ?3, ?4, ?5)")
      .bind(1, job.name)
      .bind(2, job.kind == JobKind::kTrain ? "train" : "evaluate")
      .bind(3, job.target)
      .bind(4, position)
      .bind(5, to_line(job.options))
      .run();
}

void Records::add_point(const Point& point, std::int64_t position, const SweepConfig& config) {
  Statement insert =
      database_.prepare("INSERT INTO point VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, NULL)");
  insert.bind(1, point.name).bind(2, position).bind(3, point.base).bind(4, point.mix);
  insert.bind(5, to_line(point.axes)).bind(6, to_line(point.options));
  insert.bind(7, point.run).bind(8, point.model).bind(9, "train/" + point.run).bind_null(10);
  if (config.evaluation) {
    Job job{"evaluate/" + point.name, JobKind::kEvaluate, point.name, config.evaluation->options};
    add_job(job, position);
    insert.bind(10, job.name);
  }
  insert.run();
}

void Records::synchronize(const SweepConfig& config, const std::string& scheduler) {
  Transaction transaction(database_);
  database_.prepare("INSERT OR REPLACE INTO sweep VALUES ('config', ?1)")
      .bind(1, to_line(config.source))
      .run();
  database_.prepare("UPDATE point SET position = ?1").bind(1, kLeftTheGrid).run();
  std::vector<Point> added;
  std::vector<std::int64_t> positions;
  std::int64_t position = 0;
  for (const Point& point : make_points(config)) {
    if (!keep_known(point, position)) {
      added.push_back(point);
      positions.push_back(position);
    }
    ++position;
  }
  const std::vector<TrainingRun> runs = plan_runs(added, scheduler);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    add_job({"train/" + runs[i].name, JobKind::kTrain, runs[i].name, runs[i].options},
            static_cast<std::int64_t>(i));
  }
  for (std::size_t i = 0; i < added.size(); ++i) add_point(added[i], positions[i], config);
  database_
      .prepare(
          "DELETE FROM point WHERE position = ?1 AND training IN "
          "(SELECT name FROM job WHERE attempts = 0)")
      .bind(1, kLeftTheGrid)
      .run();
  database_.execute(
      "DELETE FROM job WHERE attempts = 0 AND name NOT IN (SELECT training FROM point) "
      "AND name NOT IN (SELECT evaluation FROM point WHERE evaluation IS NOT NULL)");
  transaction.commit();
}

Json Records::config() {
  Statement select = database_.prepare("SELECT value FROM sweep WHERE key = 'config'");
  return select.step() ? parse_json(select.text(0), "sweep.db: config") : Json::object();
}

namespace {

constexpr std::string_view kJobColumns =
    "name, kind, target, options, status, attempts, pid, seconds, error";

Job read_job(const Statement& row) {
  Job job;
  job.name = row.text(0);
  job.kind = row.text(1) == "train" ? JobKind::kTrain : JobKind::kEvaluate;
  job.target = row.text(2);
  job.options = parse_json(row.text(3), "sweep.db: options");
  job.status = status_from_text(row.text(4));
  job.attempts = row.integer(5);
  job.pid = row.integer(6);
  job.seconds = row.number(7);
  job.error = row.text(8);
  return job;
}

}  // namespace

std::vector<Job> Records::jobs() {
  Statement select = database_.prepare(
      fmt::format("SELECT {} FROM job ORDER BY kind DESC, position, name", kJobColumns));
  std::vector<Job> jobs;
  while (select.step()) jobs.push_back(read_job(select));
  return jobs;
}

// Evaluations come first: they are short, and their figures are what the sweep is for.
std::optional<Job> Records::next_job() {
  Statement select = database_.prepare(fmt::format(
      "SELECT {} FROM job WHERE status = 'queued' AND (kind = 'train' OR EXISTS (SELECT 1 FROM "
      "point JOIN job AS training ON training.name = point.training WHERE point.evaluation = "
      "job.name AND training.status = 'finished')) ORDER BY kind, position, name LIMIT 1",
      kJobColumns));
  if (!select.step()) return std::nullopt;
  return read_job(select);
}

std::vector<PointRecord> Records::points() {
  Statement row = database_.prepare(
      "SELECT point.name, base, mix, axes, point.options, run, model, figures, "
      "t.name, t.status, t.attempts, t.error, e.name, e.status, e.error "
      "FROM point JOIN job AS t ON t.name = training LEFT JOIN job AS e ON e.name = evaluation "
      "ORDER BY point.position, point.name");
  std::vector<PointRecord> points;
  while (row.step()) {
    PointRecord record;
    record.point = {row.text(0),
                    row.text(1),
                    row.text(2),
                    parse_json(row.text(3), "sweep.db: axes"),
                    parse_json(row.text(4), "sweep.db: options"),
                    row.text(5),
                    row.text(6)};
    if (!row.is_null(7)) record.figures = figures_from_text(row.text(7));
    const JobStatus training = status_from_text(row.text(9));
    std::optional<JobStatus> evaluation;
    if (!row.is_null(12)) evaluation = status_from_text(row.text(13));
    record.status = joint_status(training, evaluation);
    record.attempts = row.integer(10);
    if (record.status == JobStatus::kFailed) {
      const bool in_training = training == JobStatus::kFailed;
      record.failed_job = row.text(in_training ? 8 : 12);
      record.error = row.text(in_training ? 11 : 14);
    }
    points.push_back(std::move(record));
  }
  return points;
}

void Records::set_running(const std::string& job) {
  database_
      .prepare(
          "UPDATE job SET status = 'running', attempts = attempts + 1, pid = NULL, error = "
          "NULL, finished = NULL, started = datetime('now') WHERE name = ?1")
      .bind(1, job)
      .run();
}

void Records::set_pid(const std::string& job, std::int64_t pid) {
  database_.prepare("UPDATE job SET pid = ?2 WHERE name = ?1").bind(1, job).bind(2, pid).run();
}

void Records::set_queued(const std::string& job) {
  database_.prepare("UPDATE job SET status = 'queued', pid = NULL WHERE name = ?1")
      .bind(1, job)
      .run();
}

void Records::set_failed(const std::string& job, const std::string& error, double seconds) {
  database_
      .prepare(
          "UPDATE job SET status = 'failed', pid = NULL, error = ?2, seconds = ?3, finished = "
          "datetime('now') WHERE name = ?1")
      .bind(1, job)
      .bind(2, error)
      .bind(3, seconds)
      .run();
}

void Records::set_finished(const std::string& job, double seconds) {
  database_
      .prepare(
          "UPDATE job SET status = 'finished', pid = NULL, error = NULL, seconds = ?2, "
          "finished = datetime('now') WHERE name = ?1")
      .bind(1, job)
      .bind(2, seconds)
      .run();
}

void Records::set_evaluated(const std::string& job, const std::string& point,
                            const Figures& figures, double seconds) {
  Transaction transaction(database_);
  set_finished(job, seconds);
  database_.prepare("UPDATE point SET figures = ?2 WHERE name = ?1")
      .bind(1, point)
      .bind(2, to_line(figures_json(figures)))
      .run();
  transaction.commit();
}

void Records::retry_failed() {
  database_.execute("UPDATE job SET status = 'queued' WHERE status = 'failed'");
}

}  // namespace laurel::sweep
