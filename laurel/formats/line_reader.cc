#include "laurel/formats/line_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "laurel/base/error.h"
#include "laurel/formats/byte_source.h"

namespace laurel::formats {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{1} << 16;

std::string shown_name(const std::string& path) { return path == "-" ? "standard input" : path; }

}  // namespace

struct LineReader::Impl {
  std::string name;
  std::uint64_t max_line_bytes;
  ReadPosition position;
  std::unique_ptr<ByteSource> source;
  std::vector<char> chunk = std::vector<char>(kChunkBytes);
  std::size_t begin = 0;
  std::size_t end = 0;
  std::int64_t line_number = 0;

  bool fill() {
    begin = 0;
    end = source->read(chunk);
    return end > 0;
  }

  // Moves bytes of the chunk to `line` up to a line end, which is dropped; true when there was one.
  bool take(std::string& line) {
    const char* first = chunk.data() + begin;
    const auto* newline = static_cast<const char*>(std::memchr(first, '\n', end - begin));
    const std::size_t count = newline ? static_cast<std::size_t>(newline - first) : end - begin;
    if (count > max_line_bytes - line.size()) {
      throw UserError("{}:{}: line too long, expected at most {} bytes", name, line_number + 1,
                      max_line_bytes);
    }
    line.append(first, count);
    begin += count + (newline ? 1 : 0);
    return newline != nullptr;
  }
};

LineReader::LineReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

LineReader::LineReader(const std::string& path, std::uint64_t max_line_bytes) : impl_(new Impl) {
  impl_->name = shown_name(path);
  impl_->max_line_bytes = max_line_bytes;
  impl_->source = decompressed(open_raw(path, impl_->position), impl_->name);
}

LineReader LineReader::from_memory(std::span<const std::byte> bytes, const std::string& name,
                                   std::uint64_t max_line_bytes) {
  auto impl = std::make_unique<Impl>();
  impl->name = name;
  impl->max_line_bytes = max_line_bytes;
  impl->source = decompressed(memory_source(bytes, impl->position), name);
  return LineReader(std::move(impl));
}

LineReader::~LineReader() = default;
LineReader::LineReader(LineReader&&) noexcept = default;

bool LineReader::next(std::string& line) {
  Impl& in = *impl_;
  line.clear();
  bool any = false;
  for (;;) {
    if (in.begin == in.end && !in.fill()) break;
    any = true;
    if (in.take(line)) break;
  }
  if (!any) return false;
  if (!line.empty() && line.back() == '\r') line.pop_back();
  ++in.line_number;
  return true;
}

bool LineReader::next_content(std::string& line) {
  while (next(line)) {
    if (line.find_first_not_of(" \t") != std::string::npos) return true;
  }
  return false;
}

std::int64_t LineReader::line_number() const { return impl_->line_number; }

double LineReader::fraction_read() const {
  const ReadPosition& position = impl_->position;
  if (position.total == 0) return -1;
  return std::min(1.0, static_cast<double>(position.done) / static_cast<double>(position.total));
}

const std::string& LineReader::name() const { return impl_->name; }

std::string read_text_file(const std::string& path, std::uint64_t max_bytes) {
  const std::string name = shown_name(path);
  ReadPosition position;
  const std::unique_ptr<ByteSource> source = decompressed(open_raw(path, position), name);
  std::string text;
  std::vector<char> chunk(kChunkBytes);
  while (const std::size_t count = source->read(chunk)) {
    if (count > max_bytes - text.size()) {
      throw UserError("{}: file too large, expected at most {} bytes after decompression", name,
                      max_bytes);
    }
    text.append(chunk.data(), count);
  }
  return text;
}

}  // namespace laurel::formats
