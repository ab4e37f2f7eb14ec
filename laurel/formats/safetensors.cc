#include "laurel/formats/safetensors.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <string>
#include <utility>

#include "laurel/base/checked.h"
#include "laurel/base/error.h"

namespace laurel::formats {
namespace {

namespace dom = simdjson::dom;

constexpr std::uint64_t kLengthBytes = 8;

// A header entry before its data range is checked.
struct Entry {
  TensorView view;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

std::uint64_t read_header_size(std::span<const std::byte> file, std::string_view where) {
  if (file.size() < kLengthBytes) {
    throw UserError("{}: file too short for safetensors, expected at least {} bytes, got {}", where,
                    kLengthBytes, file.size());
  }
  std::uint64_t size;
  std::memcpy(&size, file.data(), sizeof size);
  if (size > kMaxSafetensorsHeader) {
    throw UserError("{}: safetensors header too large, expected at most {} bytes, got {}", where,
                    kMaxSafetensorsHeader, size);
  }
  if (size > file.size() - kLengthBytes) {
    throw UserError(
        "{}: safetensors header cut off, expected {} bytes, got {}; is the file complete?", where,
        size, file.size() - kLengthBytes);
  }
  return size;
}

DType parse_dtype(std::string_view name, const std::string& place) {
  for (const DTypeInfo& info : kDTypes) {
    if (info.name == name) return info.dtype;
  }
  throw UserError(
      "{}: unsupported element type \"{}\", expected one of F32, F16, BF16, F64, I64, I32, I16, "
      "I8, U8, BOOL",
      place, name);
}

// A list of unsigned integers, as "shape" and "data_offsets" are.
std::vector<std::uint64_t> parse_numbers(dom::element list, std::string_view key,
                                         const std::string& place) {
  const auto fail = [&] {
    return UserError("{}: key \"{}\": expected a list of unsigned integers, got {}", place, key,
                     simdjson::minify(list).substr(0, 60));
  };
  dom::array array;
  if (list.get(array) != simdjson::SUCCESS) throw fail();
  std::vector<std::uint64_t> numbers;
  for (const dom::element item : array) {
    std::uint64_t number;
    if (item.get(number) != simdjson::SUCCESS) throw fail();
    numbers.push_back(number);
  }
  return numbers;
}

// The members of one tensor's entry. All three must be there, once.
struct RawEntry {
  std::string_view dtype;
  dom::element shape;
  dom::element offsets;
};

RawEntry find_members(dom::element value, const std::string& place) {
  dom::object object;
  if (value.get(object) != simdjson::SUCCESS) {
    throw UserError("{}: expected an object, got {}", place, simdjson::minify(value).substr(0, 60));
  }
  RawEntry raw;
  int seen_dtype = 0, seen_shape = 0, seen_offsets = 0;
  for (const auto [key, member] : object) {
    if (key == "dtype") {
      ++seen_dtype;
      if (member.get(raw.dtype) != simdjson::SUCCESS)
        throw UserError("{}: key \"dtype\": expected a string", place);
    } else if (key == "shape") {
      ++seen_shape;
      raw.shape = member;
    } else if (key == "data_offsets") {
      ++seen_offsets;
      raw.offsets = member;
    }
  }
  if (seen_dtype != 1 || seen_shape != 1 || seen_offsets != 1) {
    throw UserError("{}: expected the keys dtype, shape and data_offsets once each", place);
  }
  return raw;
}

Entry parse_entry(std::string_view name, dom::element value, std::string_view where) {
  const std::string place = fmt::format("{}: tensor {}", where, name);
  const RawEntry raw = find_members(value, place);
  Entry entry;
  entry.view.name = name;
  entry.view.file = where;
  entry.view.dtype = parse_dtype(raw.dtype, place);
  for (const std::uint64_t extent : parse_numbers(raw.shape, "shape", place))
    entry.view.shape.push_back(checked_cast<std::int64_t>(extent, place));
  const std::uint64_t num_bytes = stored_bytes(entry.view.dtype, entry.view.shape, place);
  const std::vector<std::uint64_t> offsets = parse_numbers(raw.offsets, "data_offsets", place);
  if (offsets.size() != 2 || offsets[1] < offsets[0]) {
    throw UserError("{}: key \"data_offsets\": expected [begin, end] with begin <= end", place);
  }
  entry.begin = offsets[0];
  entry.end = offsets[1];
  if (entry.end - entry.begin != num_bytes) {
    throw UserError("{}: wrong data size, expected {} bytes for {} {}, got {}", place, num_bytes,
                    raw.dtype, shape_text(entry.view.shape), entry.end - entry.begin);
  }
  return entry;
}

void check_metadata(dom::element value, std::string_view where) {
  dom::object object;
  bool valid = value.get(object) == simdjson::SUCCESS;
  if (valid) {
    for (const auto [key, member] : object) valid = valid && member.is_string();
  }
  if (!valid) throw UserError("{}: key \"__metadata__\": expected an object of strings", where);
}

std::vector<Entry> parse_header(std::string_view header, std::string_view where) {
  if (header.empty() || header.front() != '{') {
    throw UserError("{}: not a safetensors file, expected a header that starts with {{", where);
  }
  dom::parser parser;
  dom::element root;
  const auto error = parser.parse(header.data(), header.size()).get(root);
  if (error != simdjson::SUCCESS) {
    throw UserError("{}: invalid JSON in the safetensors header: {}", where,
                    simdjson::error_message(error));
  }
  dom::object object;
  if (root.get(object) != simdjson::SUCCESS) {
    throw UserError("{}: invalid safetensors header, expected an object", where);
  }
  std::vector<Entry> entries;
  std::set<std::string_view> names;
  for (const auto [key, value] : object) {
    if (!names.insert(key).second)
      throw UserError("{}: duplicate key \"{}\" in the header", where, key);
    if (key == "__metadata__") {
      check_metadata(value, where);
    } else {
      entries.push_back(parse_entry(key, value, where));
    }
  }
  return entries;
}

}  // namespace

std::vector<TensorView> parse_safetensors(std::span<const std::byte> file, std::string_view where) {
  const std::uint64_t header_size = read_header_size(file, where);
  const auto* text = reinterpret_cast<const char*>(file.data()) + kLengthBytes;
  std::vector<Entry> entries = parse_header({text, header_size}, where);
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end, a.view.name) < std::tie(b.begin, b.end, b.view.name);
  });
  const std::span<const std::byte> data = file.subspan(kLengthBytes + header_size);
  std::vector<TensorView> views;
  views.reserve(entries.size());
  std::uint64_t position = 0;
  for (Entry& entry : entries) {
    if (entry.begin != position) {
      throw UserError("{}: tensor {}: hole or overlap in the data, expected offset {}, got {}",
                      where, entry.view.name, position, entry.begin);
    }
    if (entry.end > data.size()) {
      throw UserError(
          "{}: tensor {}: data cut off, expected {} bytes of data, got {}; is the file complete?",
          where, entry.view.name, entry.end, data.size());
    }
    entry.view.data = data.subspan(entry.begin, entry.end - entry.begin);
    position = entry.end;
    views.push_back(std::move(entry.view));
  }
  if (position != data.size()) {
    throw UserError("{}: wrong file length, expected {} bytes of data, got {}", where, position,
                    data.size());
  }
  return views;
}

}  // namespace laurel::formats
