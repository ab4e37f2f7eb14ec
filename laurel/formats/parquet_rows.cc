#include "laurel/formats/parquet_rows.h"

#include "laurel/base/error.h"
#include "laurel/formats/parquet_plugin.h"

namespace laurel::formats {
namespace {

using parquet::ErrorKind;
using parquet::ParquetApi;
using parquet::ParquetError;
using parquet::ParquetFile;

[[noreturn]] void fail(const std::string& path, const ParquetError& error) {
  if (error.kind == ErrorKind::kIo) throw IoError("{}: {}", path, error.text);
  throw UserError("{}: {}", path, error.text);
}

const ParquetApi& plugin_for(const std::string& path) {
  try {
    return parquet_plugin();
  } catch (const UserError& error) {
    throw UserError("{}: {}", path, error.what());
  }
}

class ParquetRows : public RowSource {
 public:
  ParquetRows(const std::string& path, const std::vector<std::string>& columns)
      : path_(path), api_(plugin_for(path)), file_(nullptr, api_.close) {
    std::vector<const char*> names;
    for (const std::string& name : columns) names.push_back(name.c_str());
    ParquetError error = {};
    file_.reset(api_.open(path.c_str(), names.data(), names.size(), &error));
    if (!file_) fail(path_, error);
  }

  bool next(Row& row) override {
    const char* json = nullptr;
    std::size_t num_bytes = 0;
    ParquetError error = {};
    const std::int32_t status = api_.next(file_.get(), &json, &num_bytes, &error);
    if (status < 0 && error.kind != ErrorKind::kRow) fail(path_, error);
    if (status == 0) {
      if (num_rows_ == 0) throw UserError("{}: no rows, expected at least one", path_);
      return false;
    }
    row.where = fmt::format("{}: row {}", path_, ++num_rows_);
    if (status < 0) throw UserError("{}: {}", row.where, error.text);
    row.object = parse_json({json, num_bytes}, row.where);
    return true;
  }

 private:
  std::string path_;
  const ParquetApi& api_;
  std::unique_ptr<ParquetFile, void (*)(ParquetFile*)> file_;
  std::int64_t num_rows_ = 0;
};

}  // namespace

bool starts_as_parquet(std::string_view head) {
  return head.starts_with("PAR1") || head.starts_with("PARE");
}

std::unique_ptr<RowSource> open_parquet_rows(const std::string& path,
                                             const std::vector<std::string>& columns) {
  return std::make_unique<ParquetRows>(path, columns);
}

}  // namespace laurel::formats
