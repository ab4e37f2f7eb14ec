// The record of a sweep: DIR/sweep.db, which any death leaves consistent.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "laurel/sweep/database.h"
#include "laurel/sweep/grid.h"

namespace laurel::sweep {

enum class JobKind { kTrain, kEvaluate };
enum class JobStatus { kQueued, kRunning, kFinished, kFailed };

// "queued", "running", "finished", "failed".
std::string_view to_string(JobStatus status);

// One process to run. Evaluations wait for the training of their point.
struct Job {
  std::string name;  // "train/RUN" or "evaluate/POINT"
  JobKind kind = JobKind::kTrain;
  std::string target;             // the run's or point's name
  Json options = Json::object();  // of the run; of `laurel eval` for an evaluation
  JobStatus status = JobStatus::kQueued;
  std::int64_t attempts = 0;  // times started
  std::int64_t pid = 0;       // while running, once known
  double seconds = 0;         // of the last attempt
  std::string error = {};     // why it failed
};

// Where the job's output goes.
std::filesystem::path job_log(const std::filesystem::path& directory, const std::string& job);

struct Figures {
  std::optional<double> overall;  // fraction 0…1; absent when the data lack a part of it
  std::vector<std::pair<std::string, double>> subsets;
};

struct PointRecord {
  Point point;
  JobStatus status = JobStatus::kQueued;  // of training and evaluation together
  std::int64_t attempts = 0;              // of its training
  std::string error;
  std::string failed_job;  // name of the job that failed; empty otherwise
  std::optional<Figures> figures;
};

class Records {
 public:
  // Throws UserError if DIR/sweep.db is missing and `must_exist`, or holds something else.
  Records(const std::filesystem::path& directory, bool must_exist);

  // Brings the record up to the configuration: adds points and jobs that are new, takes out those
  // that left the grid and never ran, renumbers. Points already there keep what they have; throws
  // UserError if the options of one changed.
  void synchronize(const SweepConfig& config, const std::string& scheduler);

  // sweep.yaml as last synchronized.
  Json config();
  std::vector<Job> jobs();            // in grid order, trainings first
  std::vector<PointRecord> points();  // in grid order; those that left the grid last

  // The next queued job whose training, if it waits for one, is finished.
  std::optional<Job> next_job();

  void set_running(const std::string& job);  // counts an attempt
  void set_pid(const std::string& job, std::int64_t pid);
  void set_queued(const std::string& job);
  void set_failed(const std::string& job, const std::string& error, double seconds);
  void set_finished(const std::string& job, double seconds);
  // Also keeps the point's figures, in one transaction.
  void set_evaluated(const std::string& job, const std::string& point, const Figures& figures,
                     double seconds);
  // Failed jobs are queued again.
  void retry_failed();

 private:
  bool keep_known(const Point& point, std::int64_t position);
  void add_point(const Point& point, std::int64_t position, const SweepConfig& config);
  void add_job(const Job& job, std::int64_t position);

  Database database_;
};

}  // namespace laurel::sweep
