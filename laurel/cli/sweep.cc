// laurel sweep: a family of reward models from a grid; how far it is, and which point is best.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <thread>

#include "laurel/base/error.h"
#include "laurel/base/progress.h"
#include "laurel/cli/app.h"
#include "laurel/cli/commands.h"
#include "laurel/cli/sweep_options.h"
#include "laurel/sweep/lock.h"
#include "laurel/sweep/overview.h"
#include "laurel/sweep/runner.h"

namespace laurel::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kStoppedExit = 130;  // as a shell says it of Ctrl-C

struct SweepCommand {
  std::string config;
  std::string output_dir;
  int num_jobs = 1;
  int num_threads = 0;  // 0: all
  bool retry_failed = false;
};

struct TableCommand {
  std::string directory;
  std::string format = "text";
  std::string sort = "overall";
};

const std::map<std::string, sweep::TableFormat> kFormats = {
    {"text", sweep::TableFormat::kText},
    {"csv", sweep::TableFormat::kCsv},
    {"markdown", sweep::TableFormat::kMarkdown},
    {"json", sweep::TableFormat::kJson}};

sweep::RunnerOptions runner_options(const SweepCommand& command,
                                    const sweep::ProgramOptions& known) {
  const int all = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  const int num_threads = command.num_threads > 0 ? command.num_threads : all;
  sweep::RunnerOptions options;
  options.num_jobs = command.num_jobs;
  options.num_threads = std::max(1, num_threads / command.num_jobs);
  options.use_cache =
      std::find(known.train.begin(), known.train.end(), "cache-dir") != known.train.end();
  options.on_job = [](const sweep::Job& job, std::int64_t done, std::int64_t total) {
    const std::string end = job.status == sweep::JobStatus::kFailed
                                ? "failed: " + job.error
                                : "in " + format_duration(job.seconds);
    fmt::print(stderr, "[{}/{}] {} {}\n", done, total, job.name, end);
  };
  return options;
}

void run_sweep(const SweepCommand& command, const CLI::App& app) {
  if (command.config.empty() || command.output_dir.empty()) {
    throw UserError(
        "laurel sweep: expected --config and --output-dir, or a command, status or table");
  }
  const sweep::ProgramOptions known = program_options(app);
  const sweep::SweepConfig config = sweep::read_sweep_config(command.config, known);
  const fs::path directory = command.output_dir;
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) throw IoError("{}: cannot create: {}", directory.string(), error.message());
  const sweep::DirectoryLock lock(directory);
  sweep::Records records(directory, false);
  records.synchronize(config, default_scheduler(app));
  if (command.retry_failed) records.retry_failed();

  sweep::ProcessLauncher launcher;
  const sweep::RunnerResult result =
      sweep::run_jobs(directory, config, records, launcher, runner_options(command, known));
  if (result.stopped) {
    fmt::print(stderr, "stopped; the same command goes on with the sweep\n");
    throw CLI::RuntimeError(kStoppedExit);
  }
  fmt::print("{}", sweep::points_table(records.points(), sweep::TableFormat::kText, "overall"));
  const std::vector<sweep::PointRecord> points = records.points();
  const auto num_failed = std::count_if(points.begin(), points.end(), [](const auto& point) {
    return point.status == sweep::JobStatus::kFailed;
  });
  if (num_failed > 0) {
    throw UserError(
        "{} of {} points failed; laurel sweep status {} says why, --retry-failed runs them again",
        num_failed, points.size(), directory.string());
  }
}

void add_status(CLI::App& sweep_command) {
  auto directory = std::make_shared<std::string>();
  auto num_jobs = std::make_shared<int>(1);
  CLI::App& command =
      add_command(sweep_command, "status", "Show how far a sweep is, and what failed", "Commands",
                  "laurel sweep status sweep");
  command.add_option("directory", *directory, "The sweep's directory")
      ->required()
      ->type_name("DIR");
  command.add_option("--jobs", *num_jobs, "Processes at once, for the time left")
      ->type_name("N")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command.callback([directory, num_jobs] {
    sweep::Records records(*directory, true);
    fmt::print("{}", sweep::status_text(*directory, records, *num_jobs));
  });
}

void add_table(CLI::App& sweep_command) {
  auto table = std::make_shared<TableCommand>();
  CLI::App& command = add_command(sweep_command, "table", "Print a sweep's points, ranked by score",
                                  "Commands", "laurel sweep table sweep --sort overall");
  command.add_option("directory", table->directory, "The sweep's directory")
      ->required()
      ->type_name("DIR");
  command
      .add_option("--format", table->format,
                  "Percent for people (text, csv, markdown), or fractions for programs (json)")
      ->check(CLI::IsMember({"text", "csv", "markdown", "json"}))
      ->capture_default_str();
  command
      .add_option("--sort", table->sort,
                  "overall or the name of a part, highest first; or grid, for the grid's order")
      ->type_name("NAME")
      ->capture_default_str();
  command.callback([table] {
    sweep::Records records(table->directory, true);
    fmt::print("{}",
               sweep::points_table(records.points(), kFormats.at(table->format), table->sort));
  });
}

}  // namespace

void add_sweep(CLI::App& app) {
  auto options = std::make_shared<SweepCommand>();
  CLI::App& command =
      add_command(app, "sweep", "Train and evaluate a grid of reward models; resumes where it was",
                  "Train", "laurel sweep --config sweep.yaml --output-dir sweep");
  command
      .add_option("--config", options->config,
                  "The grid: bases, mixes, values of options of laurel train (docs/sweeps.md)")
      ->type_name("FILE");
  command
      .add_option("--output-dir", options->output_dir,
                  "Where runs, evaluations, logs and the record are kept")
      ->type_name("DIR");
  command.add_option("--jobs", options->num_jobs, "Processes at once; they share the threads")
      ->type_name("N")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command.add_option("--threads", options->num_threads, "Threads of all (default: all cores)")
      ->type_name("N")
      ->check(CLI::Range(1, 4096));
  command.add_flag("--retry-failed", options->retry_failed, "Run points again that failed");
  add_status(command);
  add_table(command);
  command.callback([options, &command, &app] {
    if (command.get_subcommands().empty()) run_sweep(*options, app);
  });
}

}  // namespace laurel::cli
