// The directory of a run: who may use it, its record, and what a new start clears away.
#pragma once

#include <filesystem>

#include "laurel/schema/run_record.h"

namespace laurel::train {

enum class StartMode { kNew, kResume, kOverwrite };

class RunDirectory {
 public:
  // Makes the directory if need be and locks it until the object goes. kNew: throws UserError if it
  // holds a run already, or other files. kOverwrite: throws UserError when there are files but no
  // run. Throws UserError if another process trains there.
  RunDirectory(std::filesystem::path path, StartMode mode);
  // Leaves no trace of a start that failed before it wrote anything: the lock goes, and the
  // directories that the constructor made.
  ~RunDirectory();
  RunDirectory(const RunDirectory&) = delete;
  RunDirectory& operator=(const RunDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }
  std::filesystem::path metrics() const { return path_ / "metrics.jsonl"; }
  bool holds_run() const;

  // kOverwrite: removes the files of the run before. Called when all input was found good.
  void clear_for_overwrite() const;

  // run.json.
  void write_record(const schema::RunRecord& record) const;
  // Whether run.json says that the run came to its end.
  bool is_finished() const;

 private:
  // Closes on every way out, a throwing constructor included.
  struct Descriptor {
    int value = -1;
    ~Descriptor();
  };

  void lock();
  void leave_no_trace() noexcept;

  std::filesystem::path path_;
  StartMode mode_;
  std::filesystem::path first_made_;  // the topmost directory that the constructor made; or empty
  Descriptor lock_;
};

// Removes the lines of metrics.jsonl after those of `last_step`, and a line that was cut off. Does
// nothing if there is no file.
void cut_metrics(const std::filesystem::path& file, std::int64_t last_step);

}  // namespace laurel::train
