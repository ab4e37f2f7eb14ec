#include "laurel/train/run_directory.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/model/companion_files.h"
#include "laurel/train/export.h"
#include "laurel/train/file_lock.h"

namespace laurel::train {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRecord = "run.json";
constexpr const char* kOptions = "run.yaml";
constexpr const char* kLock = ".lock";
constexpr std::uint64_t kMaxMetrics = std::uint64_t{1} << 34;

// Names that a run gives; anything else in the directory is not ours to remove.
constexpr std::array kRunFiles = {"run.json",
                                  "run.yaml",
                                  "metrics.jsonl",
                                  "data_summary.json",
                                  "checkpoints",
                                  "evaluations",
                                  "report.html",
                                  "config.json",
                                  "adapter_config.json",
                                  "adapter_model.safetensors"};
constexpr std::array kRunPrefixes = {"events.out.tfevents.", "epoch-", "model-",
                                     "model.safetensors"};

bool is_empty_but_for_lock(const fs::path& directory) {
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().filename() != kLock) return false;
  }
  return true;
}

// "NAME.PROCESS-NUMBER.tmp", as AtomicFile and AtomicDirectory call what is not finished.
bool is_unfinished(const fs::path& path) {
  if (path.extension() != ".tmp") return false;
  const std::string ending = path.stem().extension().string();  // ".PROCESS-NUMBER"
  return ending.size() > 3 && ending.find('-') != std::string::npos &&
         ending.find_first_not_of("0123456789-", 1) == std::string::npos;
}

// The topmost directory that is yet to be made for `path`; empty if it is there.
fs::path topmost_missing(const fs::path& path) {
  fs::path missing;
  for (fs::path at = path; !at.empty() && !fs::exists(at); at = at.parent_path()) missing = at;
  return missing;
}

// What a killed process had begun to write. The lock says that nobody is writing now.
void remove_leftovers(const fs::path& directory) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (is_unfinished(entry.path())) fs::remove_all(entry.path(), error);
  }
}

}  // namespace

RunDirectory::RunDirectory(fs::path path, StartMode mode) : path_(std::move(path)), mode_(mode) {
  if (path_.empty()) throw UserError("option output-dir: missing, expected a directory name");
  if (!path_.has_filename()) path_ = path_.parent_path();  // a slash at the end
  std::error_code error;
  first_made_ = topmost_missing(path_);
  fs::create_directories(path_, error);
  if (!fs::is_directory(path_)) {
    throw IoError("{}: cannot create directory: {}", path_.string(), error.message());
  }
  lock();
  remove_leftovers(path_);
  remove_leftovers(path_ / "evaluations");
  if (mode == StartMode::kResume || is_empty_but_for_lock(path_)) return;
  if (!holds_run()) {
    fs::remove(path_ / kLock, error);
    throw UserError("{}: holds files that are no training run, expected a new or empty directory",
                    path_.string());
  }
  if (mode == StartMode::kNew) {
    throw UserError(
        "{}: holds a run already, expected a new or empty directory; --resume goes on "
        "with it, --overwrite starts anew",
        path_.string());
  }
}

RunDirectory::~RunDirectory() { leave_no_trace(); }

RunDirectory::Descriptor::~Descriptor() {
  if (value >= 0) ::close(value);
}

void RunDirectory::lock() {
  const fs::path file = path_ / kLock;
  lock_.value = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_.value < 0) throw IoError("{}: cannot create: {}", file.string(), std::strerror(errno));
  if (!try_lock(lock_.value, file)) {
    throw UserError("{}: another process is training there", path_.string());
  }
}

void RunDirectory::leave_no_trace() noexcept {
  std::error_code error;
  try {
    if (!is_empty_but_for_lock(path_)) return;
  } catch (const fs::filesystem_error&) {  // removed by the user meanwhile
    return;
  }
  fs::remove(path_ / kLock, error);
  if (first_made_.empty()) return;
  for (fs::path made = path_; fs::remove(made, error) && made != first_made_;) {
    made = made.parent_path();
  }
}

bool RunDirectory::holds_run() const {
  return fs::exists(path_ / kRecord) || fs::exists(path_ / kOptions);
}

bool RunDirectory::is_finished() const {
  if (!fs::exists(path_ / kRecord)) return false;
  const Json json = read_json_file(path_ / kRecord);
  return schema::run_record_from_json(json, (path_ / kRecord).string()).status ==
         schema::RunStatus::kFinished;
}

void RunDirectory::clear_for_overwrite() const {
  if (mode_ != StartMode::kOverwrite) return;
  for (const char* name : kRunFiles) fs::remove_all(path_ / name);
  for (const char* name : model::kCompanionFiles) fs::remove(path_ / name);
  for (const auto& entry : fs::directory_iterator(path_)) {
    for (const char* prefix : kRunPrefixes) {
      if (entry.path().filename().string().starts_with(prefix)) fs::remove_all(entry.path());
    }
  }
}

void RunDirectory::write_record(const schema::RunRecord& record) const {
  write_file(path_ / kRecord, to_text(schema::to_json(record)));
}

void cut_metrics(const fs::path& file, std::int64_t last_step) {
  if (!fs::exists(file)) return;
  const std::string text = read_file(file, kMaxMetrics);
  std::size_t begin = 0;
  for (std::size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const Json line = parse_json(text.substr(begin, end - begin), file.string());
    if (get_int(line, "step", file.string()).value_or(0) > last_step) break;
  }
  if (begin < text.size()) write_file(file, std::string_view(text).substr(0, begin));
}

}  // namespace laurel::train
