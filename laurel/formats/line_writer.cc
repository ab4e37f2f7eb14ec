#include "laurel/formats/line_writer.h"

#include <zstd.h>

#include <vector>

#include "laurel/base/error.h"
#include "laurel/base/file.h"

namespace laurel::formats {
namespace {

struct FreeStream {
  void operator()(ZSTD_CCtx* stream) const { ZSTD_freeCCtx(stream); }
};

}  // namespace

struct LineWriter::Impl {
  AtomicFile file;
  std::string name;
  std::unique_ptr<ZSTD_CCtx, FreeStream> stream;  // null for plain text
  std::vector<char> buffer = std::vector<char>(ZSTD_CStreamOutSize());

  explicit Impl(const std::string& path) : file(path), name(path) {
    if (path.ends_with(".zst")) stream.reset(ZSTD_createCCtx());
  }

  void write(std::string_view text, ZSTD_EndDirective directive) {
    if (stream == nullptr) return file.write(text);
    ZSTD_inBuffer input = {text.data(), text.size(), 0};
    for (;;) {
      ZSTD_outBuffer output = {buffer.data(), buffer.size(), 0};
      const std::size_t left = ZSTD_compressStream2(stream.get(), &output, &input, directive);
      if (ZSTD_isError(left)) throw IoError("{}: {}", name, ZSTD_getErrorName(left));
      file.write({buffer.data(), output.pos});
      if (directive == ZSTD_e_end ? left == 0 : input.pos == input.size) return;
    }
  }
};

LineWriter::LineWriter(const std::string& path) {
  if (path.ends_with(".gz"))
    throw UserError("{}: gzip is not written, expected a name that ends in .jsonl or .zst", path);
  impl_ = std::make_unique<Impl>(path);
}
LineWriter::~LineWriter() = default;
LineWriter::LineWriter(LineWriter&&) noexcept = default;

void LineWriter::write(std::string_view line) {
  impl_->write(line, ZSTD_e_continue);
  impl_->write("\n", ZSTD_e_continue);
}

void LineWriter::commit() {
  if (impl_->stream != nullptr) impl_->write({}, ZSTD_e_end);
  impl_->file.commit();
}

}  // namespace laurel::formats
