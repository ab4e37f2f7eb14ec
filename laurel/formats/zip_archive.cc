#include "laurel/formats/zip_archive.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>

#include "laurel/base/error.h"
#include "laurel/base/utf8.h"

namespace laurel::formats {
namespace {

constexpr std::uint32_t kEndSignature = 0x06054b50;
constexpr std::uint32_t kEnd64Signature = 0x06064b50;
constexpr std::uint32_t kEnd64LocatorSignature = 0x07064b50;
constexpr std::uint32_t kCentralSignature = 0x02014b50;
constexpr std::uint32_t kLocalSignature = 0x04034b50;
constexpr std::size_t kEndBytes = 22, kEnd64Bytes = 56, kLocatorBytes = 20, kCentralBytes = 46,
                      kLocalBytes = 30;
constexpr std::size_t kMaxComment = 0xffff;
constexpr std::uint32_t kIn64 = 0xffffffff;  // the value is in the zip64 field
constexpr std::uint16_t kZip64Field = 1;

class ZipParser {
 public:
  ZipParser(std::span<const std::byte> file, std::string_view where) : file_(file), where_(where) {}

  ZipEntries parse() {
    find_directory();
    ZipEntries entries;
    std::uint64_t position = directory_;
    for (std::uint64_t i = 0; i < num_entries_; ++i) {
      check_signature(position, kCentralBytes, kCentralSignature, "directory entry");
      const Entry entry = read_entry(position);
      if (!entries.emplace(entry.name, entry_data(entry)).second) {
        throw UserError("{}: zip entry {} occurs twice", where_, entry.name);
      }
      position += entry.directory_bytes;
    }
    return entries;
  }

 private:
  struct Entry {
    std::string name;
    std::uint64_t size;
    std::uint64_t local_header;
    std::uint64_t directory_bytes;  // length of the record in the directory
  };

  template <typename T>
  T at(std::uint64_t offset) const {
    T value;
    std::memcpy(&value, file_.data() + offset, sizeof value);
    return value;
  }

  bool fits(std::uint64_t offset, std::uint64_t size) const {
    return offset <= file_.size() && size <= file_.size() - offset;
  }

  void require(std::uint64_t offset, std::uint64_t size, std::string_view what) const {
    if (!fits(offset, size)) {
      throw UserError(
          "{}: zip {} outside the file, expected {} bytes at {}, file has {}; is the file "
          "complete?",
          where_, what, size, offset, file_.size());
    }
  }

  void check_signature(std::uint64_t offset, std::uint64_t size, std::uint32_t signature,
                       std::string_view what) const {
    require(offset, size, what);
    if (at<std::uint32_t>(offset) != signature) {
      throw UserError("{}: damaged zip {} at byte {}, expected signature {:08x}, got {:08x}",
                      where_, what, offset, signature, at<std::uint32_t>(offset));
    }
  }

  // The end record lies in the last bytes, before a comment of up to 64 KiB.
  std::uint64_t find_end() const {
    if (file_.size() >= kEndBytes) {
      const std::uint64_t last = file_.size() - kEndBytes;
      const std::uint64_t first = last > kMaxComment ? last - kMaxComment : 0;
      for (std::uint64_t offset = last + 1; offset-- > first;) {
        if (at<std::uint32_t>(offset) == kEndSignature &&
            at<std::uint16_t>(offset + 20) == last - offset)
          return offset;
      }
    }
    throw UserError("{}: zip end record not found; is the file complete?", where_);
  }

  void find_directory() {
    const std::uint64_t end = find_end();
    num_entries_ = at<std::uint16_t>(end + 10);
    directory_ = at<std::uint32_t>(end + 16);
    if (end >= kLocatorBytes && at<std::uint32_t>(end - kLocatorBytes) == kEnd64LocatorSignature) {
      const auto end64 = at<std::uint64_t>(end - kLocatorBytes + 8);
      check_signature(end64, kEnd64Bytes, kEnd64Signature, "zip64 end record");
      num_entries_ = at<std::uint64_t>(end64 + 32);
      directory_ = at<std::uint64_t>(end64 + 48);
    }
    require(directory_, 0, "directory");
  }

  // Replaces those of size, compressed size and offset that are 0xffffffff by the zip64 field's
  // numbers, which come in this order.
  void apply_zip64(std::uint64_t extra, std::uint64_t extra_size,
                   std::span<std::uint64_t* const> values, const std::string& name) const {
    const std::uint64_t end = extra + extra_size;
    while (extra + 4 <= end) {
      const auto kind = at<std::uint16_t>(extra), size = at<std::uint16_t>(extra + 2);
      const std::uint64_t field_end = extra + 4 + size;
      if (field_end > end) break;
      if (kind == kZip64Field) {
        std::uint64_t position = extra + 4;
        for (std::uint64_t* value : values) {
          if (*value != kIn64) continue;
          if (position + 8 > field_end)
            throw UserError("{}: zip entry {}: damaged zip64 field", where_, name);
          *value = at<std::uint64_t>(position);
          position += 8;
        }
        return;
      }
      extra = field_end;
    }
  }

  Entry read_entry(std::uint64_t offset) const {
    const auto flags = at<std::uint16_t>(offset + 8), method = at<std::uint16_t>(offset + 10);
    std::uint64_t compressed = at<std::uint32_t>(offset + 20);
    Entry entry;
    entry.size = at<std::uint32_t>(offset + 24);
    entry.local_header = at<std::uint32_t>(offset + 42);
    const std::uint64_t name_size = at<std::uint16_t>(offset + 28),
                        extra_size = at<std::uint16_t>(offset + 30),
                        comment_size = at<std::uint16_t>(offset + 32);
    entry.directory_bytes = kCentralBytes + name_size + extra_size + comment_size;
    require(offset, entry.directory_bytes, "directory entry");
    entry.name.assign(reinterpret_cast<const char*>(file_.data()) + offset + kCentralBytes,
                      name_size);
    check_name(entry.name);
    std::uint64_t* const values[] = {&entry.size, &compressed, &entry.local_header};
    apply_zip64(offset + kCentralBytes + name_size, extra_size, values, entry.name);
    if ((flags & 1) != 0) throw UserError("{}: zip entry {} is encrypted", where_, entry.name);
    if (method != 0 || compressed != entry.size) {
      throw UserError("{}: zip entry {} is compressed, expected a stored one", where_, entry.name);
    }
    return entry;
  }

  void check_name(const std::string& name) const {
    const bool valid = !name.empty() && name.front() != '/' && name.find("..") == name.npos &&
                       name.find('\\') == name.npos && name.find('\0') == name.npos &&
                       find_invalid_utf8(name) == std::string_view::npos;
    if (!valid)
      throw UserError("{}: invalid name of a zip entry, expected a relative path", where_);
  }

  std::span<const std::byte> entry_data(const Entry& entry) const {
    check_signature(entry.local_header, kLocalBytes, kLocalSignature, "entry");
    const std::uint64_t data = entry.local_header + kLocalBytes +
                               at<std::uint16_t>(entry.local_header + 26) +
                               at<std::uint16_t>(entry.local_header + 28);
    require(data, entry.size, "entry data");
    return file_.subspan(data, entry.size);
  }

  std::span<const std::byte> file_;
  std::string_view where_;
  std::uint64_t num_entries_ = 0;
  std::uint64_t directory_ = 0;
};

}  // namespace

ZipEntries parse_zip(std::span<const std::byte> file, std::string_view where) {
  return ZipParser(file, where).parse();
}

}  // namespace laurel::formats
