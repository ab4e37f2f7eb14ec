#include "laurel/formats/parquet/file_reader.h"

#include <arrow/io/file.h>
#include <arrow/util/io_util.h>
#include <parquet/arrow/schema.h>
#include <parquet/file_reader.h>
#include <parquet/properties.h>

#include <algorithm>
#include <set>
#include <utility>

#include "laurel/formats/parquet/error.h"
#include "laurel/formats/parquet/json_writer.h"

namespace laurel::formats::parquet {
namespace {

constexpr std::int64_t kRowsPerBatch = 256;
// What pages, dictionaries and one batch may take: a file that claims more is refused, not
// believed.
constexpr std::int64_t kMaxBytes = std::int64_t{1} << 30;
constexpr std::int64_t kReadBufferBytes = std::int64_t{1} << 18;

const std::string kDamaged = "damaged Parquet file: ";

// Columns, row groups and the like. Arrow builds the schema recursively: more would let a file of
// nested groups overflow a stack of 8 MiB.
constexpr std::int32_t kMaxFooterEntries = 5'000;

::parquet::ReaderProperties reader_properties(arrow::MemoryPool* pool, std::int64_t file_bytes) {
  ::parquet::ReaderProperties properties(pool);
  properties.enable_buffered_stream();
  properties.set_buffer_size(kReadBufferBytes);
  properties.set_page_checksum_verification(true);
  properties.set_thrift_container_size_limit(kMaxFooterEntries);
  properties.set_thrift_string_size_limit(static_cast<std::int32_t>(
      std::min<std::int64_t>(properties.thrift_string_size_limit(), file_bytes)));
  return properties;
}

::parquet::ArrowReaderProperties arrow_properties() {
  ::parquet::ArrowReaderProperties properties(/*use_threads=*/false);
  properties.set_batch_size(kRowsPerBatch);
  properties.set_pre_buffer(false);  // would read whole row groups ahead
  return properties;
}

void add_leaves(const ::parquet::arrow::SchemaField& field, std::vector<int>& leaves) {
  if (field.is_leaf()) leaves.push_back(field.column_index);
  for (const auto& child : field.children) add_leaves(child, leaves);
}

}  // namespace

void check(const arrow::Status& status, const std::string& where) {
  if (status.ok()) return;
  const bool is_io = arrow::internal::ErrnoFromStatus(status) != 0;
  throw ReadError(is_io ? status.message() : where + status.message(),
                  is_io ? ErrorKind::kIo : ErrorKind::kFile);
}

FileReader::FileReader(const std::string& path, const std::vector<std::string>& columns)
    : pool_(std::make_unique<arrow::CappedMemoryPool>(arrow::default_memory_pool(), kMaxBytes)) {
  const auto input = value_of(arrow::io::ReadableFile::Open(path, pool_.get()), "");
  const std::int64_t file_bytes = value_of(input->GetSize(), "");
  auto parquet_reader =
      ::parquet::ParquetFileReader::Open(input, reader_properties(pool_.get(), file_bytes));
  file_ = value_of(::parquet::arrow::FileReader::Make(pool_.get(), std::move(parquet_reader),
                                                      arrow_properties()),
                   kDamaged);
  select_columns(columns);
}

void FileReader::select_columns(const std::vector<std::string>& columns) {
  const std::set<std::string> wanted(columns.begin(), columns.end());
  std::set<std::string> names;
  for (const auto& field : file_->manifest().schema_fields) {
    const std::string& name = field.field->name();
    if (!wanted.empty() && !wanted.contains(name)) continue;
    if (!names.insert(name).second) throw ReadError("two columns named " + name);
    require_supported(*field.field->type(), name);
    add_leaves(field, leaves_);
  }
}

bool FileReader::next_batch() {
  rows_before_ += batch_ ? batch_->num_rows() : 0;
  batch_.reset();
  index_ = 0;
  for (;;) {
    if (!group_) {
      if (next_group_ == file_->num_row_groups()) return false;
      group_ = value_of(file_->GetRecordBatchReader({next_group_++}, leaves_), kDamaged);
    }
    check(group_->ReadNext(&batch_), kDamaged);
    if (batch_ && batch_->num_rows() > 0) break;
    if (!batch_) group_.reset();
  }
  check(batch_->ValidateFull(), kDamaged + "rows " + std::to_string(rows_before_ + 1) + " to " +
                                    std::to_string(rows_before_ + batch_->num_rows()) + ": ");
  return true;
}

bool FileReader::next(std::string& json) {
  while (!batch_ || index_ == batch_->num_rows()) {
    if (!next_batch()) return false;
  }
  json.clear();
  append_row(index_++, json);
  return true;
}

void FileReader::append_row(std::int64_t index, std::string& json) const {
  json += '{';
  for (int i = 0; i < batch_->num_columns(); ++i) {
    if (i > 0) json += ',';
    append_string(batch_->column_name(i), json);
    json += ':';
    try {
      append_value(*batch_->column(i), index, json);
    } catch (const ReadError& error) {
      throw ReadError("column " + batch_->column_name(i) + ": " + error.what(), ErrorKind::kRow);
    }
  }
  json += '}';
}

}  // namespace laurel::formats::parquet
