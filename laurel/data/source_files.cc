#include "laurel/data/source_files.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>
#include <utility>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/base/hash.h"
#include "laurel/hub/resolve.h"

namespace laurel::data {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 7> kEndings = {
    ".parquet", ".jsonl", ".jsonl.gz", ".jsonl.zst", ".json", ".json.gz", ".json.zst"};

// "train.jsonl", "train-00000-of-00002.parquet": a file of the split, by its name.
bool is_of_split(std::string_view name, std::string_view split) {
  if (!name.starts_with(split)) return false;
  const std::string_view rest = name.substr(split.size());
  return std::any_of(kEndings.begin(), kEndings.end(), [&](std::string_view ending) {
    return rest == ending || (rest.starts_with('-') && rest.ends_with(ending));
  });
}

// Whether a source that is not here was meant as a file, not as a name on the hub.
bool looks_like_a_file(std::string_view source) {
  return source.starts_with('/') || source.starts_with('.') ||
         std::any_of(kEndings.begin(), kEndings.end(),
                     [&](std::string_view ending) { return source.ends_with(ending); });
}

std::vector<fs::path> files_of_split(const fs::path& directory, const std::string& split) {
  std::vector<fs::path> files;
  for (const fs::path& folder : {directory / "data", directory}) {
    std::error_code error;
    for (const fs::directory_entry& item : fs::directory_iterator(folder, error)) {
      std::error_code ignored;
      if (is_of_split(item.path().filename().string(), split) && item.is_regular_file(ignored))
        files.push_back(item.path());
    }
    if (!files.empty()) break;
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

std::vector<fs::path> find_source_files(const MixEntry& entry) {
  std::error_code ignored;
  if (fs::is_regular_file(entry.source, ignored)) {
    if (entry.split == "train") return {entry.source};
    throw UserError("{}: a file has the one split \"train\", got \"{}\"", entry.source,
                    entry.split);
  }
  if (!fs::exists(entry.source, ignored) && looks_like_a_file(entry.source))
    throw UserError("{}: no such file or directory", entry.source);
  const fs::path directory = hub::resolve_data_set(entry.source).directory;
  std::vector<fs::path> files = files_of_split(directory, entry.split);
  if (files.empty()) {
    throw UserError(
        "{}: no files of split \"{}\", expected {}.jsonl, .json or .parquet (also .gz, .zst), or "
        "parts {}-*, in it or in data/",
        directory.string(), entry.split, entry.split, entry.split);
  }
  return files;
}

std::string fingerprint_files(const std::vector<fs::path>& files) {
  Fingerprinter total;
  for (const fs::path& path : files) {
    Fingerprinter one;
    one.add(MappedFile(path).bytes());
    total.add(one.digest());
  }
  return total.digest();
}

SourceRows::SourceRows(std::vector<fs::path> files, std::vector<std::string> columns)
    : files_(std::move(files)), columns_(std::move(columns)) {}

bool SourceRows::next(SourceRow& row) {
  for (;;) {
    if (rows_ == nullptr) {
      if (next_file_ == files_.size()) return false;
      rows_ = formats::open_rows(files_[next_file_++].string(), columns_);
    }
    row = SourceRow{};
    try {
      if (!rows_->next(row.row)) {
        rows_.reset();
        continue;
      }
    } catch (const UserError& error) {
      if (row.row.where.empty()) throw;  // of the file, not of a row
      row.row.object = Json::object();
      row.error = error.what();
    }
    row.number = num_rows_++;
    return true;
  }
}

}  // namespace laurel::data
