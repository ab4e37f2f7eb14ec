#include "laurel/sweep/runner.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/base/yaml_text.h"
#include "laurel/sweep/results.h"

namespace laurel::sweep {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr double kWaitSeconds = 3600;

// What a death leaves of an AtomicDirectory: PATH.PID-N.tmp.
void remove_unfinished(const fs::path& path) {
  const std::string stem = path.filename().string() + ".";
  constexpr std::string_view kEnd = ".tmp";
  std::vector<fs::path> unfinished;
  for (const fs::directory_entry& entry : fs::directory_iterator(path.parent_path())) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(stem) || !name.ends_with(kEnd)) continue;
    if (name.find_first_not_of("0123456789-", stem.size()) != name.size() - kEnd.size()) continue;
    unfinished.push_back(entry.path());
  }
  for (const fs::path& folder : unfinished) fs::remove_all(folder);
}

class Runner {
 public:
  Runner(fs::path directory, const SweepConfig& config, Records& records, Launcher& launcher,
         const RunnerOptions& options)
      : directory_(std::move(directory)),
        config_(config),
        records_(records),
        launcher_(launcher),
        options_(options) {
    for (const char* folder : {"runs", "evaluations", "logs"})
      fs::create_directories(directory_ / folder);
    for (const Job& job : records.jobs()) {
      ++total_;
      if (job.status == JobStatus::kFinished) ++done_;
    }
    for (PointRecord& record : records.points()) {
      points_.emplace(record.point.name, std::move(record.point));
    }
  }

  RunnerResult run() {
    try {
      take_up();
      work();
    } catch (...) {
      launcher_.stop_all(false);  // the next start takes up what they leave
      throw;
    }
    return result_;
  }

 private:
  struct Active {
    Job job;
    Clock::time_point start;
  };

  void work() {
    for (fill(); !active_.empty(); fill()) {
      const LaunchEvent event = launcher_.wait(kWaitSeconds);
      if (event.kind == LaunchEvent::Kind::kStop) stop();
      if (event.kind == LaunchEvent::Kind::kEnded) end(event);
    }
  }

  // Jobs that were running when an earlier sweep died: fill() finds out how far they came.
  void take_up() {
    for (const Job& job : records_.jobs()) {
      if (job.status != JobStatus::kRunning) continue;
      launcher_.settle(log_path(job), static_cast<pid_t>(job.pid));
      if (job.kind == JobKind::kEvaluate) remove_unfinished(evaluation_path(job));
      records_.set_queued(job.name);
    }
  }

  void fill() {
    while (!result_.stopped && active_.size() < static_cast<std::size_t>(options_.num_jobs)) {
      const std::optional<Job> job = records_.next_job();
      if (!job) return;
      if (keep_result(*job, job->seconds)) {  // done by a process that nobody saw end
        ++done_;
        continue;
      }
      // Noted first: a death between the two lines leaves a job to be taken up, never a process
      // that nobody knows of.
      records_.set_running(job->name);
      const pid_t pid = launcher_.start(job->name, arguments(*job), log_path(*job));
      records_.set_pid(job->name, pid);
      active_[job->name] = {*job, Clock::now()};
    }
  }

  void stop() {
    launcher_.stop_all(result_.stopped);
    result_.stopped = true;
  }

  void end(const LaunchEvent& event) {
    Active active = std::move(active_.at(event.job));
    active_.erase(event.job);
    const double seconds = std::chrono::duration<double>(Clock::now() - active.start).count();
    Job& job = active.job;
    if (event.exit_status == 0 && keep_result(job, seconds)) {
      job.status = JobStatus::kFinished;
      ++done_;
    } else if (result_.stopped) {
      records_.set_queued(job.name);
      return;
    } else {
      job.status = JobStatus::kFailed;
      job.error = reason(job, event.exit_status);
      records_.set_failed(job.name, job.error, seconds);
      ++result_.num_failed;
    }
    job.seconds = seconds;
    if (options_.on_job) options_.on_job(job, done_, total_);
  }

  // Records the job as finished if its result is there, whole.
  bool keep_result(const Job& job, double seconds) {
    if (job.kind == JobKind::kTrain) {
      if (!is_finished_run(run_path(job))) return false;
      records_.set_finished(job.name, seconds);
      return true;
    }
    const std::optional<Figures> figures = read_figures(evaluation_path(job));
    if (!figures) return false;
    records_.set_evaluated(job.name, job.target, *figures, seconds);
    return true;
  }

  std::string reason(const Job& job, int exit_status) const {
    std::string text = last_message(log_path(job));
    if (exit_status > 128) text = fmt::format("ended by signal {}", exit_status - 128);
    return text.empty() ? fmt::format("exit status {}, nothing said", exit_status) : text;
  }

  std::vector<std::string> arguments(const Job& job) const {
    std::vector<std::string> words =
        job.kind == JobKind::kTrain ? train_arguments(job) : evaluate_arguments(job);
    const bool given = job.options.contains("threads");
    if (!given) {
      words.push_back("--threads");
      words.push_back(std::to_string(options_.num_threads));
    }
    return words;
  }

  std::vector<std::string> train_arguments(const Job& job) const {
    const fs::path file = run_path(job).string() + ".yaml";
    write_file(file, to_yaml(run_options(job)));
    std::vector<std::string> words = {"train", "--config", file.string()};
    if (fs::exists(run_path(job) / "run.json")) words.push_back("--resume");
    return words;
  }

  Json run_options(const Job& job) const {
    const Point& point = points_.at(job.target);
    Json options;
    for (const SweepBase& base : config_.bases) {
      if (base.card.key == point.base) options["model"] = base.model;
    }
    for (const SweepMix& mix : config_.mixes) {
      if (mix.card.key == point.mix) options["data"] = mix.data;
    }
    options["output-dir"] = run_path(job).string();
    if (options_.use_cache) options["cache-dir"] = (directory_ / "cache").string();
    options.update(job.options);
    return options;
  }

  std::vector<std::string> evaluate_arguments(const Job& job) const {
    const Point& point = points_.at(job.target);
    const std::string model = (directory_ / point.model).string();
    std::vector<std::string> words = {"eval"};
    const auto add = [&](const std::string& name, const std::string& value) {
      words.push_back("--" + name);
      words.push_back(value);
    };
    if (is_adapter(model)) {
      add("model", base_model(point));
      add("adapter", model);
    } else {
      add("model", model);
    }
    add("benchmark", config_.evaluation->card.name);
    for (const std::string& file : config_.evaluation->data) add("data", file);
    add("output", evaluation_path(job).string());
    for (const auto& [name, value] : job.options.items()) {
      const Json values = value.is_array() ? value : Json::array({value});
      for (const Json& item : values) add_option(name, item, words);
    }
    words.push_back("--overwrite");
    return words;
  }

  static void add_option(const std::string& name, const Json& value,
                         std::vector<std::string>& words) {
    if (value.is_boolean()) {
      if (value.get<bool>()) words.push_back("--" + name);
      return;
    }
    words.push_back("--" + name);
    words.push_back(value_text(value));
  }

  std::string base_model(const Point& point) const {
    for (const SweepBase& base : config_.bases) {
      if (base.card.key == point.base) return base.model;
    }
    throw UserError("point {}: its base {} is no longer in the sweep", point.name, point.base);
  }

  fs::path run_path(const Job& job) const { return directory_ / "runs" / job.target; }
  fs::path evaluation_path(const Job& job) const { return directory_ / "evaluations" / job.target; }
  fs::path log_path(const Job& job) const { return job_log(directory_, job.name); }

  fs::path directory_;
  const SweepConfig& config_;
  Records& records_;
  Launcher& launcher_;
  const RunnerOptions& options_;
  std::map<std::string, Point> points_;   // by name
  std::map<std::string, Active> active_;  // by job
  std::int64_t total_ = 0;
  std::int64_t done_ = 0;
  RunnerResult result_;
};

}  // namespace

RunnerResult run_jobs(const fs::path& directory, const SweepConfig& config, Records& records,
                      Launcher& launcher, const RunnerOptions& options) {
  return Runner(directory, config, records, launcher, options).run();
}

}  // namespace laurel::sweep
