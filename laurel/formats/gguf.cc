#include "laurel/formats/gguf.h"

#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "laurel/base/checked.h"
#include "laurel/base/error.h"
#include "laurel/base/utf8.h"
#include "laurel/formats/gguf_blocks.h"
#include "laurel/formats/tensor_store.h"

namespace laurel::formats {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr std::uint64_t kMaxLength = std::uint64_t{1} << 30;  // of strings and arrays
constexpr std::size_t kMaxTensorName = 64;
constexpr std::uint32_t kMaxDims = 4;
constexpr std::uint32_t kDefaultAlignment = 32;

constexpr std::array<std::string_view, 13> kTypeNames = {
    "u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64"};

// Bytes of a number or bool; 0 for strings and arrays.
std::size_t type_size(GgufType type) {
  constexpr std::array<std::size_t, 13> kSizes = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return kSizes[static_cast<std::size_t>(type)];
}

template <typename T>
T load(std::span<const std::byte> bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

bool is_integer(GgufType type) {
  return type != GgufType::kF32 && type != GgufType::kF64 && type != GgufType::kBool &&
         type != GgufType::kString && type != GgufType::kArray;
}

// Precondition: is_integer(type).
std::int64_t load_integer(GgufType type, std::span<const std::byte> bytes,
                          const std::string& place) {
  switch (type) {
    case GgufType::kU8:
      return load<std::uint8_t>(bytes);
    case GgufType::kI8:
      return load<std::int8_t>(bytes);
    case GgufType::kU16:
      return load<std::uint16_t>(bytes);
    case GgufType::kI16:
      return load<std::int16_t>(bytes);
    case GgufType::kU32:
      return load<std::uint32_t>(bytes);
    case GgufType::kI32:
      return load<std::int32_t>(bytes);
    case GgufType::kU64:
      return checked_cast<std::int64_t>(load<std::uint64_t>(bytes), place);
    default:
      return load<std::int64_t>(bytes);
  }
}

std::string type_text(const GgufValue& value) {
  const std::string_view name = kTypeNames[static_cast<std::size_t>(value.type)];
  return value.is_array ? fmt::format("an array of {}", name) : std::string(name);
}

// The string at the front of `bytes`, which it is removed from. Precondition: checked by the
// parser.
std::string_view take_string(std::span<const std::byte>& bytes) {
  const auto length = static_cast<std::size_t>(load<std::uint64_t>(bytes));
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + 8, length);
  bytes = bytes.subspan(8 + length);
  return text;
}

}  // namespace

// Reads front to back; every size is checked against what is left of the file.
class GgufParser {
 public:
  GgufParser(std::span<const std::byte> file, std::string_view where) : file_(file), where_(where) {
    result_.name_ = where;
  }

  GgufFile parse() {
    read_magic();
    const auto num_tensors = read<std::uint64_t>("tensor count");
    const auto num_values = read<std::uint64_t>("metadata count");
    for (std::uint64_t i = 0; i < num_values; ++i) read_metadata();
    read_alignment();
    std::vector<Info> infos;
    for (std::uint64_t i = 0; i < num_tensors; ++i) infos.push_back(read_tensor_info());
    place_tensors(std::move(infos));
    return std::move(result_);
  }

 private:
  // A tensor before its data is placed.
  struct Info {
    GgufTensor tensor;
    std::uint64_t offset;
  };

  std::span<const std::byte> take(std::uint64_t count, std::string_view what) {
    if (count > file_.size() - position_) {
      throw UserError("{}: file cut off in {} at byte {}, expected {} more bytes, got {}", where_,
                      what, position_, count, file_.size() - position_);
    }
    const auto bytes = file_.subspan(position_, count);
    position_ += count;
    return bytes;
  }

  template <typename T>
  T read(std::string_view what) {
    return load<T>(take(sizeof(T), what));
  }

  std::uint64_t read_length(std::string_view what) {
    const auto length = read<std::uint64_t>(what);
    if (length > kMaxLength) {
      throw UserError("{}: {} too long at byte {}, expected at most {}, got {}", where_, what,
                      position_ - 8, kMaxLength, length);
    }
    return length;
  }

  std::string_view read_string(std::string_view what) {
    const auto bytes = take(read_length(what), what);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  void read_magic() {
    const auto magic = take(std::min<std::uint64_t>(kMagic.size(), file_.size()), "the magic");
    if (std::string_view(reinterpret_cast<const char*>(magic.data()), magic.size()) != kMagic) {
      throw UserError("{}: not a GGUF file, expected it to start with \"GGUF\"", where_);
    }
    const auto version = read<std::uint32_t>("version");
    if (version != 2 && version != 3) {
      const bool swapped = version == 0x02000000 || version == 0x03000000;
      throw UserError("{}: unsupported GGUF version, expected 2 or 3, got {}{}", where_, version,
                      swapped ? "; the file is big-endian" : "");
    }
  }

  GgufType read_type(const std::string& key) {
    const auto type = read<std::uint32_t>("metadata type");
    if (type >= kTypeNames.size()) {
      throw UserError("{}: key {}: unknown metadata type, expected 0 to 12, got {}", where_, key,
                      type);
    }
    return static_cast<GgufType>(type);
  }

  void read_metadata() {
    std::string key(read_string("metadata key"));
    if (key.empty() || find_invalid_utf8(key) != std::string_view::npos) {
      throw UserError("{}: empty or invalid metadata key at byte {}", where_, position_);
    }
    GgufValue value;
    value.type = read_type(key);
    if (value.type == GgufType::kArray) {
      value.is_array = true;
      value.type = read_type(key);
      if (value.type == GgufType::kArray)
        throw UserError("{}: key {}: nested arrays are not allowed", where_, key);
      value.count = read_length("metadata array");
    }
    const std::size_t begin = position_;
    if (value.type == GgufType::kString) {
      for (std::uint64_t i = 0; i < value.count; ++i) read_string("metadata string");
    } else {
      take(checked_mul<std::uint64_t>(value.count, type_size(value.type), where_), "metadata");
    }
    value.bytes = file_.subspan(begin, position_ - begin);
    if (!result_.metadata_.emplace(key, value).second)
      throw UserError("{}: duplicate key {}", where_, key);
  }

  void read_alignment() {
    const std::int64_t alignment =
        result_.find_int("general.alignment").value_or(kDefaultAlignment);
    if (alignment <= 0 || alignment > UINT32_MAX ||
        !std::has_single_bit(static_cast<std::uint64_t>(alignment))) {
      throw UserError("{}: key general.alignment: expected a power of two, got {}", where_,
                      alignment);
    }
    alignment_ = static_cast<std::uint64_t>(alignment);
  }

  Info read_tensor_info() {
    Info info;
    info.tensor.name = read_string("tensor name");
    const std::string& name = info.tensor.name;
    if (name.empty() || name.size() > kMaxTensorName ||
        find_invalid_utf8(name) != std::string_view::npos) {
      throw UserError("{}: invalid tensor name at byte {}, expected 1 to {} bytes of UTF-8, got {}",
                      where_, position_, kMaxTensorName, name.size());
    }
    const std::string place = fmt::format("{}: tensor {}", where_, name);
    const auto num_dims = read<std::uint32_t>("tensor rank");
    if (num_dims > kMaxDims)
      throw UserError("{}: expected at most {} dimensions, got {}", place, kMaxDims, num_dims);
    info.tensor.shape.resize(num_dims);
    for (std::uint32_t i = 0; i < num_dims; ++i) {  // the file begins with the contiguous dimension
      info.tensor.shape[num_dims - 1 - i] =
          checked_cast<std::int64_t>(read<std::uint64_t>("tensor shape"), place);
    }
    info.tensor.dtype = gguf_dtype(read<std::uint32_t>("tensor type"), place);
    info.offset = read<std::uint64_t>("tensor offset");
    return info;
  }

  std::uint64_t data_bytes(const GgufTensor& tensor) const {
    return stored_bytes(tensor.dtype, tensor.shape,
                        fmt::format("{}: tensor {}", where_, tensor.name));
  }

  std::uint64_t aligned(std::uint64_t size) const {
    return checked_add(size, alignment_ - 1, where_) / alignment_ * alignment_;
  }

  // Tensors lie back to back, each padded to the alignment; the last one's padding may be missing.
  void place_tensors(std::vector<Info> infos) {
    std::uint64_t expected = 0;
    const std::uint64_t data_begin = aligned(position_);
    for (Info& info : infos) {
      GgufTensor& tensor = info.tensor;
      if (info.offset != expected) {
        throw UserError("{}: tensor {}: wrong offset, expected {}, got {}", where_, tensor.name,
                        expected, info.offset);
      }
      const std::uint64_t size = data_bytes(tensor);
      const std::uint64_t end =
          checked_add(checked_add(data_begin, expected, where_), size, where_);
      if (end > file_.size()) {
        throw UserError(
            "{}: tensor {}: data cut off, expected a file of at least {} bytes, got {}; is the "
            "file complete?",
            where_, tensor.name, end, file_.size());
      }
      tensor.data = size == 0 ? file_.subspan(0, 0) : file_.subspan(data_begin + expected, size);
      expected = aligned(expected + size);
      std::string name = tensor.name;
      if (result_.tensors_.contains(name)) throw UserError("{}: duplicate tensor {}", where_, name);
      result_.tensors_.emplace(std::move(name), std::move(tensor));
    }
  }

  std::span<const std::byte> file_;
  std::string_view where_;
  std::uint64_t position_ = 0;
  std::uint64_t alignment_ = kDefaultAlignment;
  GgufFile result_;
};

GgufFile GgufFile::parse(std::span<const std::byte> file, std::string_view where) {
  return GgufParser(file, where).parse();
}

const GgufValue* GgufFile::find(std::string_view key) const {
  const auto found = metadata_.find(key);
  return found == metadata_.end() ? nullptr : &found->second;
}

namespace {

[[noreturn]] void wrong_type(const GgufFile& file, std::string_view key, std::string_view expected,
                             const GgufValue& value) {
  throw UserError("{}: key {}: expected {}, got {}", file.name(), key, expected, type_text(value));
}

}  // namespace

const GgufValue* GgufFile::find_scalar(std::string_view key, std::string_view expected) const {
  const GgufValue* value = find(key);
  if (value != nullptr && value->is_array) wrong_type(*this, key, expected, *value);
  return value;
}

std::optional<std::int64_t> GgufFile::find_int(std::string_view key) const {
  const GgufValue* value = find_scalar(key, "an integer");
  if (value == nullptr) return std::nullopt;
  if (!is_integer(value->type)) wrong_type(*this, key, "an integer", *value);
  return load_integer(value->type, value->bytes, fmt::format("{}: key {}", name_, key));
}

std::optional<double> GgufFile::find_float(std::string_view key) const {
  const GgufValue* value = find_scalar(key, "a float");
  if (value == nullptr) return std::nullopt;
  if (value->type == GgufType::kF32) return load<float>(value->bytes);
  if (value->type == GgufType::kF64) return load<double>(value->bytes);
  wrong_type(*this, key, "a float", *value);
}

std::optional<bool> GgufFile::find_bool(std::string_view key) const {
  const GgufValue* value = find_scalar(key, "a bool");
  if (value == nullptr) return std::nullopt;
  if (value->type != GgufType::kBool) wrong_type(*this, key, "a bool", *value);
  return load<std::uint8_t>(value->bytes) != 0;
}

std::optional<std::string_view> GgufFile::find_string(std::string_view key) const {
  const GgufValue* value = find_scalar(key, "a string");
  if (value == nullptr) return std::nullopt;
  if (value->type != GgufType::kString) wrong_type(*this, key, "a string", *value);
  std::span<const std::byte> bytes = value->bytes;
  return take_string(bytes);
}

std::optional<std::vector<std::string_view>> GgufFile::find_strings(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_array || value->type != GgufType::kString)
    wrong_type(*this, key, "an array of string", *value);
  std::vector<std::string_view> strings;
  strings.reserve(value->count);
  for (std::span<const std::byte> bytes = value->bytes; !bytes.empty();)
    strings.push_back(take_string(bytes));
  return strings;
}

std::optional<std::vector<std::int64_t>> GgufFile::find_ints(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_array || !is_integer(value->type))
    wrong_type(*this, key, "an array of integers", *value);
  const std::string place = fmt::format("{}: key {}", name_, key);
  const std::size_t size = type_size(value->type);
  std::vector<std::int64_t> numbers(value->count);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = load_integer(value->type, value->bytes.subspan(i * size, size), place);
  }
  return numbers;
}

}  // namespace laurel::formats
