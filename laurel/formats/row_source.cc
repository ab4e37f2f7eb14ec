#include "laurel/formats/row_source.h"

#include <filesystem>
#include <fstream>
#include <utility>

#include "laurel/base/error.h"
#include "laurel/formats/line_reader.h"
#include "laurel/formats/parquet_rows.h"

namespace laurel::formats {
namespace {

constexpr std::size_t kMaxArrayBytes = std::size_t{1} << 30;

void require_object(const Row& row) {
  if (!row.object.is_object()) {
    throw UserError("{}: expected a JSON object, got {}", row.where, row.object.type_name());
  }
}

// JSON lines. `first` is the first line that is not blank, already read.
class LineRows : public RowSource {
 public:
  LineRows(LineReader reader, std::string first)
      : reader_(std::move(reader)), line_(std::move(first)), pending_(true) {}

  bool next(Row& row) override {
    if (!pending_ && !reader_.next_content(line_)) return false;
    pending_ = false;
    row.where = fmt::format("{}:{}", reader_.name(), reader_.line_number());
    row.object = parse_json(line_, row.where);
    require_object(row);
    return true;
  }

 private:
  LineReader reader_;
  std::string line_;
  bool pending_;
};

class ArrayRows : public RowSource {
 public:
  ArrayRows(Json rows, std::string name) : rows_(std::move(rows)), name_(std::move(name)) {}

  bool next(Row& row) override {
    if (index_ == rows_.size()) return false;
    row.object = std::move(rows_[index_++]);
    row.where = fmt::format("{}: row {}", name_, index_);
    require_object(row);
    return true;
  }

 private:
  Json rows_;
  std::string name_;
  std::size_t index_ = 0;
};

Json read_array(LineReader& reader, std::string text) {
  std::string line;
  while (reader.next(line)) {
    if (text.size() + line.size() > kMaxArrayBytes) {
      throw UserError("{}: JSON array too large, expected at most {} bytes; use JSON lines",
                      reader.name(), kMaxArrayBytes);
    }
    text += '\n';
    text += line;
  }
  return parse_json(text, reader.name());
}

// Looks into regular files only: what is read from a pipe is gone.
bool is_parquet_file(const std::string& path) {
  std::error_code absent;
  if (!std::filesystem::is_regular_file(path, absent)) return false;
  std::string head(4, '\0');
  return std::ifstream(path, std::ios::binary).read(head.data(), 4) && starts_as_parquet(head);
}

}  // namespace

std::unique_ptr<RowSource> open_rows(const std::string& path,
                                     const std::vector<std::string>& columns) {
  if (is_parquet_file(path)) return open_parquet_rows(path, columns);
  LineReader reader(path);
  std::string line;
  if (!reader.next_content(line))
    throw UserError("{}: no rows, expected at least one", reader.name());
  if (starts_as_parquet(line)) {
    throw UserError("{}: Parquet in a stream, expected the Parquet file itself", reader.name());
  }
  if (line[line.find_first_not_of(" \t")] != '[')
    return std::make_unique<LineRows>(std::move(reader), std::move(line));
  Json rows = read_array(reader, std::move(line));
  if (rows.empty()) throw UserError("{}: no rows, expected at least one", reader.name());
  return std::make_unique<ArrayRows>(std::move(rows), reader.name());
}

}  // namespace laurel::formats
