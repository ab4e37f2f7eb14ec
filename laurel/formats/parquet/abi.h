// The border between the program and its Parquet plug-in, in C types only: the plug-in is built
// against Apache Arrow's C++ headers, the program knows nothing of them.
//
// The plug-in exports `const ParquetApi* laurel_parquet_api()`. No exception crosses the border; a
// file handle is used by one thread at a time, different handles by any.
#pragma once

#include <cstddef>
#include <cstdint>

namespace laurel::formats::parquet {

constexpr std::int32_t kAbiVersion = 1;
constexpr char kEntryPoint[] = "laurel_parquet_api";

enum class ErrorKind : std::int32_t {
  kFile = 0,  // the bytes are wrong
  kIo = 1,    // the operating system failed
  kRow = 2,   // this row cannot be given; `next` goes on with the one after it
};

struct ParquetError {
  ErrorKind kind;
  char text[1000];  // one line, UTF-8, ends with NUL; does not name the file
};

struct ParquetFile;

struct ParquetApi {
  std::int32_t version;  // kAbiVersion; a program uses no other member of another version
  // Null, with `error` filled, if the file is not readable Parquet. Only the top-level columns
  // named are read, those that the file lacks are passed over; num_columns 0 reads all.
  ParquetFile* (*open)(const char* path, const char* const* columns, std::size_t num_columns,
                       ParquetError* error);
  // 1: `json` holds the next row as a JSON object, until the next call; 0: no more rows;
  // -1: `error` is filled and, unless it is of a row, the file may only be closed.
  std::int32_t (*next)(ParquetFile* file, const char** json, std::size_t* num_bytes,
                       ParquetError* error);
  void (*close)(ParquetFile* file);
};

using EntryPoint = const ParquetApi* (*)();

}  // namespace laurel::formats::parquet
