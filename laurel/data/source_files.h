// From a mix's source to rows: its files, and the rows of all of them in order.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "laurel/data/mix.h"
#include "laurel/formats/row_source.h"

namespace laurel::data {

// A file is itself, with the one split "train". A directory, or a data set of the Hugging Face
// cache, holds SPLIT.jsonl, .json (also .gz, .zst), .parquet, or parts SPLIT-*, directly or in
// data/. Sorted by name. Throws UserError naming what was looked for.
std::vector<std::filesystem::path> find_source_files(const MixEntry& entry);

// Fingerprint of the files' contents, in this order.
std::string fingerprint_files(const std::vector<std::filesystem::path>& files);

struct SourceRow {
  std::int64_t number = 0;  // of the source, from 0
  formats::Row row;
  std::string error;  // why the row is none; then the object is empty
};

// The rows of files, one after the other.
class SourceRows {
 public:
  // `columns`: the keys that are looked at (of Parquet only these are read); empty for all.
  explicit SourceRows(std::vector<std::filesystem::path> files,
                      std::vector<std::string> columns = {});
  // False at the end. A row that is not a JSON object is returned with its error; a damaged file
  // throws UserError or IoError.
  bool next(SourceRow& row);

 private:
  std::vector<std::filesystem::path> files_;
  std::vector<std::string> columns_;
  std::size_t next_file_ = 0;
  std::unique_ptr<formats::RowSource> rows_;
  std::int64_t num_rows_ = 0;
};

}  // namespace laurel::data
