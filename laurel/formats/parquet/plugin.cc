// The plug-in's side of abi.h: nothing but FileReader behind C types.
#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <string_view>

#include "laurel/formats/parquet/abi.h"
#include "laurel/formats/parquet/error.h"
#include "laurel/formats/parquet/file_reader.h"

namespace laurel::formats::parquet {

struct ParquetFile {
  FileReader reader;
  std::string row;
};

namespace {

// One line that fits, cut between characters.
void fill(ParquetError& error, ErrorKind kind, std::string_view text) {
  error.kind = kind;
  std::size_t size = std::min(text.size(), sizeof(error.text) - 1);
  while (size > 0 && size < text.size() && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80)
    --size;
  std::transform(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size), error.text,
                 [](char c) { return static_cast<unsigned char>(c) < 0x20 ? ' ' : c; });
  error.text[size] = '\0';
}

// What `action` returns, or `failed` with `error` filled.
template <typename Result, typename Action>
Result guarded(Result failed, ParquetError& error, Action action) {
  try {
    return action();
  } catch (const ReadError& caught) {
    fill(error, caught.kind, caught.what());
  } catch (const std::exception& caught) {
    fill(error, ErrorKind::kFile, std::string("damaged Parquet file: ") + caught.what());
  } catch (...) {
    fill(error, ErrorKind::kFile, "damaged Parquet file");
  }
  return failed;
}

ParquetFile* open(const char* path, const char* const* columns, std::size_t num_columns,
                  ParquetError* error) {
  return guarded<ParquetFile*>(nullptr, *error, [&] {
    const std::vector<std::string> names(columns, columns + num_columns);
    return new ParquetFile{FileReader(path, names), ""};
  });
}

std::int32_t next(ParquetFile* file, const char** json, std::size_t* num_bytes,
                  ParquetError* error) {
  return guarded<std::int32_t>(-1, *error, [&] {
    const bool has_row = file->reader.next(file->row);
    *json = file->row.data();
    *num_bytes = file->row.size();
    return has_row ? 1 : 0;
  });
}

void close(ParquetFile* file) { delete file; }

constexpr ParquetApi kApi = {kAbiVersion, open, next, close};

}  // namespace
}  // namespace laurel::formats::parquet

extern "C" __attribute__((visibility("default"))) const laurel::formats::parquet::ParquetApi*
laurel_parquet_api() {
  return &laurel::formats::parquet::kApi;
}
