// Lines into a file that appears whole or not at all; compressed with zstd when its name ends in
// ".zst".
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace laurel::formats {

class LineWriter {
 public:
  // Throws UserError for a name of a compression that is not written (".gz"), IoError if the file
  // cannot be made.
  explicit LineWriter(const std::string& path);
  ~LineWriter();
  LineWriter(LineWriter&&) noexcept;

  // Appends the line and its end. Throws IoError.
  void write(std::string_view line);
  // No write after it.
  void commit();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace laurel::formats
