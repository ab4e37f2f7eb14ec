// Arrow values as JSON text, equal to what pyarrow's to_pylist() gives where JSON has the type.
//
//   null, bool, integers       the same
//   float16, float32, float64  shortest digits that give the value back; NaN and infinities refused
//   decimals                   a string, as str() of Python's Decimal
//   strings                    a string
//   lists of any kind          an array
//   struct                     an object with every member, null or not
//   map                        an array of [key, value]
//   dictionary, extension      as their values
//   date, time, timestamp      a string, as isoformat() of Python's; a timestamp with a zone is
//                              given in UTC ("+00:00")
//
// Other types (binary, duration, interval, union, …) have no counterpart in JSON and are refused.
#pragma once

#include <arrow/array/array_base.h>
#include <arrow/type.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace laurel::formats::parquet {

// Throws ReadError naming `column` unless every value of the type can be written, for structs with
// two members of one name and for types of more than 100 levels.
void require_supported(const arrow::DataType& type, const std::string& column, int depth = 0);

// Appends array[index]. Throws ReadError for a value that JSON or Python cannot hold.
void append_value(const arrow::Array& array, std::int64_t index, std::string& out);

// Appends the string in quotes, escaped. Does not check its encoding.
void append_string(std::string_view text, std::string& out);

}  // namespace laurel::formats::parquet
