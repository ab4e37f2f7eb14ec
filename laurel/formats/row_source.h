// Rows of a data file, one JSON object each, whatever the file's form.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "laurel/base/json.h"

namespace laurel::formats {

struct Row {
  Json object;
  std::string where;  // "data.jsonl:3": begins the text of errors about this row
};

class RowSource {
 public:
  virtual ~RowSource() = default;
  // The next row; false at the end. Throws UserError for a row that is no JSON object, with
  // row.where set, and the call after it goes on with the row after it; for a damaged file without
  // touching row.where. Throws IoError for a failing read.
  virtual bool next(Row& row) = 0;
};

// JSON lines or one JSON array of objects, plain, gzip or zstd, or Parquet; recognized by content.
// A file without rows is a UserError.
//
// `columns` names the keys that the caller looks at, all when empty. Of Parquet only these are read
// (keys that the file lacks are passed over, null cells are JSON null); rows of JSON are whole.
// Parquet needs an optional plug-in, a regular file, and bounded memory whatever the file's size.
std::unique_ptr<RowSource> open_rows(const std::string& path,
                                     const std::vector<std::string>& columns = {});

}  // namespace laurel::formats
