// SHA-1 and SHA-256 (FIPS 180-4): the names that git and the hub give to contents. They identify
// files here; nothing rests on SHA-1's resistance to forgery.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace laurel {

class Sha1 {
 public:
  void add(std::string_view bytes);
  // 40 hexadecimal digits. Nothing is added after it.
  std::string digest();

 private:
  std::array<std::uint32_t, 5> state_{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  std::string pending_;  // less than a block
  std::uint64_t num_bytes_ = 0;
};

class Sha256 {
 public:
  void add(std::string_view bytes);
  // 64 hexadecimal digits. Nothing is added after it.
  std::string digest();

 private:
  std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::string pending_;  // less than a block
  std::uint64_t num_bytes_ = 0;
};

// The name that git gives to a file of these bytes: SHA-1 of "blob <size>\0" and the bytes.
std::string git_blob_name(std::string_view bytes);

}  // namespace laurel
