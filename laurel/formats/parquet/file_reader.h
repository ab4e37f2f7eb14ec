// Rows of one Parquet file as JSON text: row group by row group, a few hundred rows at a time,
// only the columns asked for.
#pragma once

#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <parquet/arrow/reader.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace laurel::formats::parquet {

class FileReader {
 public:
  // As ParquetApi::open. Throws ReadError, and whatever Arrow throws for a damaged file.
  FileReader(const std::string& path, const std::vector<std::string>& columns);

  // The next row; false after the last. Throws ReadError, of kind kRow when it can go on, and
  // whatever Arrow throws.
  bool next(std::string& json);

 private:
  void select_columns(const std::vector<std::string>& columns);
  bool next_batch();
  void append_row(std::int64_t index, std::string& json) const;

  // Declared first, as everything below allocates from it.
  std::unique_ptr<arrow::MemoryPool> pool_;
  std::unique_ptr<::parquet::arrow::FileReader> file_;
  std::vector<int> leaves_;  // of the columns to read
  int next_group_ = 0;
  std::unique_ptr<arrow::RecordBatchReader> group_;
  std::shared_ptr<arrow::RecordBatch> batch_;
  std::int64_t index_ = 0;        // of the next row in batch_
  std::int64_t rows_before_ = 0;  // in the file before batch_
};

}  // namespace laurel::formats::parquet
