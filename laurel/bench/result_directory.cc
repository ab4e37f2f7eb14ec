#include <fcntl.h>
#include <stdio.h>  // renameat2

#include <cerrno>
#include <cstring>
#include <memory>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/bench/result_files.h"

namespace laurel::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kOurNames[] = {"scores.jsonl", "summary.json", "manifest.json",
                                          "report.html",  "eval-set",     "eval-set-scores"};

bool is_ours(const std::string& name) {
  for (const std::string_view our : kOurNames) {
    if (name == our) return true;
  }
  return false;
}

// Whether the path holds an earlier evaluation that may be replaced.
void check_replaceable(const fs::path& path, bool overwrite) {
  const std::string shown = path.string();
  if (!fs::is_directory(path))
    throw UserError("{}: exists and is no directory, expected a directory name", shown);
  for (const fs::directory_entry& entry : fs::directory_iterator(path)) {
    const std::string name = entry.path().filename().string();
    if (!is_ours(name)) {
      throw UserError(
          "{}: holds \"{}\", which is no file of an evaluation, expected a new or empty directory",
          shown, name);
    }
  }
  if (!overwrite)
    throw UserError(
        "{}: holds an earlier evaluation, expected a new or empty directory; --overwrite replaces "
        "it",
        shown);
}

fs::path without_trailing_slash(fs::path path) {
  while (path.has_relative_path() && path.filename().empty()) path = path.parent_path();
  return path;
}

}  // namespace

struct ResultDirectory::Impl {
  fs::path path;
  fs::path
      replacement;  // where the new directory is made; `path` itself unless something is replaced
  std::unique_ptr<AtomicDirectory> directory;
};

ResultDirectory::ResultDirectory(fs::path path, bool overwrite) : impl_(std::make_unique<Impl>()) {
  impl_->path = without_trailing_slash(std::move(path));
  impl_->replacement = impl_->path;
  const bool exists = fs::exists(impl_->path);
  if (exists && !(fs::is_directory(impl_->path) && fs::is_empty(impl_->path))) {
    check_replaceable(impl_->path, overwrite);
    impl_->replacement += ".new";
  }
  impl_->directory = std::make_unique<AtomicDirectory>(impl_->replacement);
}

ResultDirectory::~ResultDirectory() = default;

const fs::path& ResultDirectory::staging() const { return impl_->directory->staging(); }

void ResultDirectory::commit() {
  impl_->directory->commit();
  if (impl_->replacement == impl_->path) return;
  if (::renameat2(AT_FDCWD, impl_->replacement.c_str(), AT_FDCWD, impl_->path.c_str(),
                  RENAME_EXCHANGE) != 0) {
    throw IoError("{}: cannot exchange with {}: {}", impl_->path.string(),
                  impl_->replacement.string(), std::strerror(errno));
  }
  std::error_code ignored;
  fs::remove_all(impl_->replacement, ignored);  // now the earlier evaluation
}

}  // namespace laurel::bench
