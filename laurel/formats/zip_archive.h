// The directory of a zip archive with uncompressed entries, zip64 included.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace laurel::formats {

// Entry name to its bytes, which point into `file`. Throws UserError for a damaged directory, for
// entries that are compressed or encrypted, and for names that are empty, absolute, contain ".." or
// occur twice. Checksums are not read.
using ZipEntries = std::map<std::string, std::span<const std::byte>, std::less<>>;
ZipEntries parse_zip(std::span<const std::byte> file, std::string_view where);

}  // namespace laurel::formats
