// Errors inside the plug-in; plugin.cc turns them into ParquetError at the border.
#pragma once

#include <arrow/result.h>
#include <arrow/status.h>

#include <stdexcept>
#include <string>
#include <utility>

#include "laurel/formats/parquet/abi.h"

namespace laurel::formats::parquet {

class ReadError : public std::runtime_error {
 public:
  explicit ReadError(const std::string& text, ErrorKind error_kind = ErrorKind::kFile)
      : std::runtime_error(text), kind(error_kind) {}
  ErrorKind kind;
};

// Throws ReadError for a status that is not OK: kIo when the operating system failed, kFile when
// the bytes are wrong. `where` begins the text ("damaged Parquet file: ").
void check(const arrow::Status& status, const std::string& where);

template <typename T>
T value_of(arrow::Result<T> result, const std::string& where) {
  check(result.status(), where);
  return std::move(result).ValueUnsafe();
}

}  // namespace laurel::formats::parquet
