// Runs what a sweep's record has queued.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "laurel/sweep/config.h"
#include "laurel/sweep/launcher.h"
#include "laurel/sweep/records.h"

namespace laurel::sweep {

struct RunnerOptions {
  int num_jobs = 1;
  int num_threads = 1;    // of each process
  bool use_cache = true;  // whether `laurel train` has --cache-dir
  // Told of each job that ended, with how many of all are done.
  std::function<void(const Job& job, std::int64_t done, std::int64_t total)> on_job;
};

struct RunnerResult {
  std::int64_t num_failed = 0;  // jobs that failed in this run
  bool stopped = false;         // before the queue was empty
};

// Takes up what an earlier sweep left running, then works until the queue is empty or a stop is
// asked for. A stop lets the processes end by themselves (training keeps a checkpoint); a second
// one ends them. Every change is in the record before the next step. Throws IoError if a process
// cannot be started or the disk fails.
RunnerResult run_jobs(const std::filesystem::path& directory, const SweepConfig& config,
                      Records& records, Launcher& launcher, const RunnerOptions& options);

}  // namespace laurel::sweep
