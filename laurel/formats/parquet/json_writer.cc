#include "laurel/formats/parquet/json_writer.h"

#include <arrow/api.h>
#include <arrow/extension_type.h>
#include <arrow/util/checked_cast.h>
#include <arrow/util/float16.h>

#include <charconv>
#include <cmath>
#include <set>

#include "laurel/formats/parquet/error.h"
#include "laurel/formats/parquet/iso_time.h"

namespace laurel::formats::parquet {
namespace {

constexpr int kMaxDepth = 100;

using arrow::Array;
using arrow::Type;
using arrow::internal::checked_cast;

template <typename Number>
void append_integer(Number value, std::string& out) {
  char digits[24];
  out.append(digits, std::to_chars(digits, digits + sizeof(digits), value).ptr);
}

void append_float(double value, std::string& out) {
  if (!std::isfinite(value)) {
    throw ReadError(std::string("JSON has no such number, expected a finite one, got ") +
                    (std::isnan(value) ? "nan" : "an infinity"));
  }
  char digits[32];
  const std::string_view text(
      digits,
      static_cast<std::size_t>(std::to_chars(digits, std::end(digits), value).ptr - digits));
  out += text;
  // Stays a floating-point number for the JSON reader.
  if (text.find_first_of(".e") == std::string_view::npos) out += ".0";
}

void append_elements(const Array& values, std::int64_t begin, std::int64_t count,
                     std::string& out) {
  out += '[';
  for (std::int64_t i = 0; i < count; ++i) {
    if (i > 0) out += ',';
    append_value(values, begin + i, out);
  }
  out += ']';
}

template <typename ListArray>
void append_list(const Array& array, std::int64_t index, std::string& out) {
  const auto& list = checked_cast<const ListArray&>(array);
  append_elements(*list.values(), list.value_offset(index), list.value_length(index), out);
}

void append_map(const arrow::MapArray& map, std::int64_t index, std::string& out) {
  const std::int64_t begin = map.value_offset(index);
  out += '[';
  for (std::int64_t i = begin; i < begin + map.value_length(index); ++i) {
    if (i > begin) out += ',';
    out += '[';
    append_value(*map.keys(), i, out);
    out += ',';
    append_value(*map.items(), i, out);
    out += ']';
  }
  out += ']';
}

void append_struct(const arrow::StructArray& members, std::int64_t index, std::string& out) {
  out += '{';
  for (int i = 0; i < members.num_fields(); ++i) {
    if (i > 0) out += ',';
    append_string(members.struct_type()->field(i)->name(), out);
    out += ':';
    append_value(*members.field(i), index, out);
  }
  out += '}';
}

template <typename T>
void append_integer_at(const Array& array, std::int64_t index, std::string& out) {
  append_integer(checked_cast<const arrow::NumericArray<T>&>(array).Value(index), out);
}

template <typename StringArray>
void append_string_at(const Array& array, std::int64_t index, std::string& out) {
  append_string(checked_cast<const StringArray&>(array).GetView(index), out);
}

template <typename DecimalArray>
void append_decimal(const Array& array, std::int64_t index, std::string& out) {
  append_string(checked_cast<const DecimalArray&>(array).FormatValue(index), out);
}

template <typename TimeArray, typename TimeType>
void append_time_at(const Array& array, std::int64_t index, std::string& out) {
  append_time(checked_cast<const TimeArray&>(array).Value(index),
              checked_cast<const TimeType&>(*array.type()).unit(), out);
}

void append_timestamp_at(const arrow::TimestampArray& array, std::int64_t index, std::string& out) {
  const auto& type = checked_cast<const arrow::TimestampType&>(*array.type());
  append_timestamp(array.Value(index), type.unit(), out);
  if (!type.timezone().empty()) out += "+00:00";
}

// Dates and times, within quotes.
void append_temporal(const Array& array, std::int64_t index, std::string& out) {
  constexpr std::int64_t kMillisecondsPerDay = 86'400'000;
  out += '"';
  switch (array.type_id()) {
    case Type::DATE32:
      append_date(checked_cast<const arrow::Date32Array&>(array).Value(index), out);
      break;
    case Type::DATE64:
      append_date(checked_cast<const arrow::Date64Array&>(array).Value(index) / kMillisecondsPerDay,
                  out);
      break;
    case Type::TIME32:
      append_time_at<arrow::Time32Array, arrow::Time32Type>(array, index, out);
      break;
    case Type::TIME64:
      append_time_at<arrow::Time64Array, arrow::Time64Type>(array, index, out);
      break;
    default:
      append_timestamp_at(checked_cast<const arrow::TimestampArray&>(array), index, out);
  }
  out += '"';
}

[[noreturn]] void unsupported(const arrow::DataType& type, const std::string& column) {
  throw ReadError("column " + column + ": JSON has no counterpart of type " + type.ToString() +
                  "; leave the column out");
}

}  // namespace

void append_string(std::string_view text, std::string& out) {
  constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    out += text.substr(begin, i - begin);
    begin = i + 1;
    if (byte >= 0x20) {
      out += '\\';
      out += text[i];
    } else {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  out += text.substr(begin);
  out += '"';
}

void require_supported(const arrow::DataType& type, const std::string& column, int depth) {
  if (depth > kMaxDepth)
    throw ReadError("a column nested deeper than " + std::to_string(kMaxDepth) + " levels");
  switch (type.id()) {
    case Type::LIST:
    case Type::LARGE_LIST:
    case Type::FIXED_SIZE_LIST:
    case Type::LIST_VIEW:
    case Type::LARGE_LIST_VIEW:
    case Type::STRUCT:
    case Type::MAP: {
      std::set<std::string> names;
      for (const auto& field : type.fields()) {
        if (!names.insert(field->name()).second)
          throw ReadError("column " + column + ": two members named " + field->name());
        require_supported(*field->type(), column + "." + field->name(), depth + 1);
      }
      return;
    }
    case Type::DICTIONARY:
      return require_supported(*checked_cast<const arrow::DictionaryType&>(type).value_type(),
                               column, depth + 1);
    case Type::EXTENSION:
      return require_supported(*checked_cast<const arrow::ExtensionType&>(type).storage_type(),
                               column, depth + 1);
    case Type::NA:
    case Type::BOOL:
    case Type::STRING:
    case Type::LARGE_STRING:
    case Type::STRING_VIEW:
    case Type::DATE32:
    case Type::DATE64:
    case Type::TIME32:
    case Type::TIME64:
    case Type::TIMESTAMP:
      return;
    default:
      if (!arrow::is_numeric(type.id()) && !arrow::is_decimal(type.id())) unsupported(type, column);
  }
}

void append_value(const Array& array, std::int64_t index, std::string& out) {
  if (array.IsNull(index)) {
    out += "null";
    return;
  }
  switch (array.type_id()) {
    case Type::BOOL:
      out += checked_cast<const arrow::BooleanArray&>(array).Value(index) ? "true" : "false";
      return;
    case Type::INT8:
      return append_integer_at<arrow::Int8Type>(array, index, out);
    case Type::INT16:
      return append_integer_at<arrow::Int16Type>(array, index, out);
    case Type::INT32:
      return append_integer_at<arrow::Int32Type>(array, index, out);
    case Type::INT64:
      return append_integer_at<arrow::Int64Type>(array, index, out);
    case Type::UINT8:
      return append_integer_at<arrow::UInt8Type>(array, index, out);
    case Type::UINT16:
      return append_integer_at<arrow::UInt16Type>(array, index, out);
    case Type::UINT32:
      return append_integer_at<arrow::UInt32Type>(array, index, out);
    case Type::UINT64:
      return append_integer_at<arrow::UInt64Type>(array, index, out);
    case Type::HALF_FLOAT:
      return append_float(arrow::util::Float16::FromBits(
                              checked_cast<const arrow::HalfFloatArray&>(array).Value(index))
                              .ToDouble(),
                          out);
    case Type::FLOAT:
      return append_float(checked_cast<const arrow::FloatArray&>(array).Value(index), out);
    case Type::DOUBLE:
      return append_float(checked_cast<const arrow::DoubleArray&>(array).Value(index), out);
    case Type::DECIMAL32:
      return append_decimal<arrow::Decimal32Array>(array, index, out);
    case Type::DECIMAL64:
      return append_decimal<arrow::Decimal64Array>(array, index, out);
    case Type::DECIMAL128:
      return append_decimal<arrow::Decimal128Array>(array, index, out);
    case Type::DECIMAL256:
      return append_decimal<arrow::Decimal256Array>(array, index, out);
    case Type::STRING:
      return append_string_at<arrow::StringArray>(array, index, out);
    case Type::LARGE_STRING:
      return append_string_at<arrow::LargeStringArray>(array, index, out);
    case Type::STRING_VIEW:
      return append_string_at<arrow::StringViewArray>(array, index, out);
    case Type::LIST:
      return append_list<arrow::ListArray>(array, index, out);
    case Type::LARGE_LIST:
      return append_list<arrow::LargeListArray>(array, index, out);
    case Type::FIXED_SIZE_LIST:
      return append_list<arrow::FixedSizeListArray>(array, index, out);
    case Type::LIST_VIEW:
      return append_list<arrow::ListViewArray>(array, index, out);
    case Type::LARGE_LIST_VIEW:
      return append_list<arrow::LargeListViewArray>(array, index, out);
    case Type::STRUCT:
      return append_struct(checked_cast<const arrow::StructArray&>(array), index, out);
    case Type::MAP:
      return append_map(checked_cast<const arrow::MapArray&>(array), index, out);
    case Type::DICTIONARY: {
      const auto& encoded = checked_cast<const arrow::DictionaryArray&>(array);
      return append_value(*encoded.dictionary(), encoded.GetValueIndex(index), out);
    }
    case Type::EXTENSION:
      return append_value(*checked_cast<const arrow::ExtensionArray&>(array).storage(), index, out);
    default:
      return append_temporal(array, index, out);
  }
}

}  // namespace laurel::formats::parquet
