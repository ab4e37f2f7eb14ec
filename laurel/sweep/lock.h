// One sweep at a time in a directory.
#pragma once

#include <filesystem>

namespace laurel::sweep {

// Held from construction to destruction or the death of the process, whichever comes first.
class DirectoryLock {
 public:
  // Throws UserError if another process holds it, IoError if the directory cannot be written.
  explicit DirectoryLock(const std::filesystem::path& directory);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace laurel::sweep
