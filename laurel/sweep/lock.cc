#include "laurel/sweep/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "laurel/base/error.h"

namespace laurel::sweep {

DirectoryLock::DirectoryLock(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / "sweep.lock";
  descriptor_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ < 0) throw IoError("{}: cannot open: {}", path.string(), std::strerror(errno));
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
  const int error = errno;
  ::close(descriptor_);
  if (error != EWOULDBLOCK) {
    throw IoError("{}: cannot lock: {}", path.string(), std::strerror(error));
  }
  throw UserError("{}: another laurel sweep works here, expected one at a time",
                  directory.string());
}

DirectoryLock::~DirectoryLock() { ::close(descriptor_); }

}  // namespace laurel::sweep
