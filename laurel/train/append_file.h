// A file that grows while the run goes on: every append is in the file when the call returns, so
// that readers see it and a killed process leaves whole records.
#pragma once

#include <filesystem>
#include <string_view>

namespace laurel::train {

class AppendFile {
 public:
  // Opens for appending, creates if absent. Throws IoError.
  explicit AppendFile(std::filesystem::path path);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  // Throws IoError, also for a full disk; what was written of `bytes` is taken back then.
  void append(std::string_view bytes);
  // Until the bytes are on the disk.
  void sync();

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace laurel::train
