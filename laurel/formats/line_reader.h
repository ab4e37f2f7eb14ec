// Lines of a text file, plain, gzip or zstd, or of standard input ("-"). The form is recognized by
// content.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace laurel::formats {

class LineReader {
 public:
  // Throws IoError if the file cannot be opened. "-" reads standard input.
  explicit LineReader(const std::string& path,
                      std::uint64_t max_line_bytes = std::uint64_t{256} << 20);
  // The lines of bytes in memory, which outlive the reader.
  static LineReader from_memory(std::span<const std::byte> bytes, const std::string& name,
                                std::uint64_t max_line_bytes = std::uint64_t{256} << 20);
  ~LineReader();
  LineReader(LineReader&&) noexcept;

  // The next line without its end (\n or \r\n); false at the end of input. Memory is bounded by the
  // longest line. Throws UserError for a damaged or truncated compressed stream or a line over the
  // limit, IoError for a failing read.
  bool next(std::string& line);
  // The next line that is more than spaces and tabs.
  bool next_content(std::string& line);
  // 1 for the first line of the input.
  std::int64_t line_number() const;
  // Share of the (compressed) input consumed so far, 0…1; negative when unknown (standard input).
  double fraction_read() const;
  const std::string& name() const;  // "-" is shown as "standard input"

 private:
  struct Impl;
  explicit LineReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The whole of a plain, gzip or zstd file. Throws as LineReader; UserError beyond max_bytes after
// decompression.
std::string read_text_file(const std::string& path,
                           std::uint64_t max_bytes = std::uint64_t{4} << 30);

}  // namespace laurel::formats
