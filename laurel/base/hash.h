// Content fingerprints for manifests and rules (XXH3, 128 bits). They identify, they do not
// authenticate.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace laurel {

// 32 hexadecimal digits.
std::string fingerprint(std::string_view bytes);

// 64 bits of the same family, for damage of data that are read back.
std::uint64_t checksum(std::span<const std::byte> bytes);

// Fingerprint of a sequence of byte ranges, as if they were one.
class Fingerprinter {
 public:
  Fingerprinter();
  ~Fingerprinter();
  Fingerprinter(const Fingerprinter&) = delete;
  Fingerprinter& operator=(const Fingerprinter&) = delete;

  void add(std::span<const std::byte> bytes);
  void add(std::string_view bytes);
  std::string digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace laurel
