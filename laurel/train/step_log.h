// What a run tells while it goes on: metrics.jsonl, a TensorBoard event file, and the terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "laurel/schema/step_metrics.h"
#include "laurel/train/append_file.h"
#include "laurel/train/event_file.h"
#include "laurel/train/objective.h"

namespace laurel::train {

struct StepLogOptions {
  std::int64_t num_steps = 0;   // of the whole run
  std::int64_t first_step = 1;  // of this start
  std::int64_t batch_size = 1;
  std::int64_t logging_steps = 10;  // lines on a standard error that is no terminal; 0: none
};

class StepLog {
 public:
  // Appends to metrics.jsonl in `directory`. Throws IoError.
  StepLog(const std::filesystem::path& directory, const StepLogOptions& options);
  ~StepLog();

  // One finished step, with the held-out pairs' figures if they were evaluated. Returns the line.
  // Throws IoError.
  Json write(const schema::StepMetrics& metrics, const ObjectiveSums* evaluation);
  // A benchmark's figure, for TensorBoard.
  void write_benchmark(std::int64_t step, const std::string& name, double overall);
  // Until metrics.jsonl is on the disk.
  void sync() { lines_.sync(); }
  // Removes the progress line.
  void clear_line();

 private:
  void show(const schema::StepMetrics& metrics);

  StepLogOptions options_;
  AppendFile lines_;
  EventFile events_;
  std::chrono::steady_clock::time_point start_;
  bool is_terminal_;
  bool drawn_ = false;
};

// "step 12/100: loss 0.6502, …" for people.
std::string progress_text(const schema::StepMetrics& metrics, std::int64_t num_steps,
                          double seconds_left);

}  // namespace laurel::train
