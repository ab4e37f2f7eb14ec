#include "laurel/base/temporaries.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <mutex>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

namespace laurel {
namespace {

namespace fs = std::filesystem;

// What was begun and not kept. Never destroyed: threads may outlive main().
struct Registry {
  std::mutex mutex;
  std::set<fs::path> paths;
};
Registry& registry() {
  static auto& instance = *new Registry;
  return instance;
}

void remove_path(const fs::path& path) {
  std::error_code ignored;
  fs::remove_all(path, ignored);
}

void remove_all_temporaries() {
  const std::lock_guard lock(registry().mutex);
  for (const fs::path& path : registry().paths) remove_path(path);
}

constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP};
int pipe_to_cleaner = -1;

void pass_on(int signal) {
  const int error = errno;
  const auto byte = static_cast<char>(signal);
  [[maybe_unused]] const ssize_t written = ::write(pipe_to_cleaner, &byte, 1);
  errno = error;
}

}  // namespace

Temporary::Temporary(fs::path path) { start(std::move(path)); }

void Temporary::start(fs::path path) {
  path_ = std::move(path);
  const std::lock_guard lock(registry().mutex);
  registry().paths.insert(path_);
}

void Temporary::keep() {
  const std::lock_guard lock(registry().mutex);
  registry().paths.erase(path_);
  path_.clear();
}

void Temporary::discard() {
  if (path_.empty()) return;
  remove_path(path_);
  keep();
}

// A handler may do next to nothing: it wakes a thread, which removes and then ends the program.
struct InterruptCleanup::Impl {
  std::array<struct sigaction, kSignals.size()> old = {};
  int pipe[2] = {-1, -1};
  std::thread cleaner;

  void clean() const {
    char byte = 0;
    ssize_t count = 0;
    while ((count = ::read(pipe[0], &byte, 1)) < 0 && errno == EINTR) {
    }
    if (count != 1) return;
    remove_all_temporaries();
    ::signal(byte, SIG_DFL);
    ::kill(::getpid(), byte);
  }
};

InterruptCleanup::InterruptCleanup() : impl_(std::make_unique<Impl>()) {
  if (::pipe2(impl_->pipe, O_CLOEXEC) != 0) return;  // signals end the program at once
  pipe_to_cleaner = impl_->pipe[1];
  // Signals are for the other threads, who may have them blocked.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  impl_->cleaner = std::thread([this] { impl_->clean(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    ::sigaction(kSignals[i], nullptr, &impl_->old[i]);
    if (impl_->old[i].sa_handler != SIG_DFL) continue;
    struct sigaction action = {};
    action.sa_handler = pass_on;
    action.sa_flags = SA_RESTART;
    ::sigaction(kSignals[i], &action, nullptr);
  }
}

InterruptCleanup::~InterruptCleanup() {
  if (!impl_->cleaner.joinable()) return;
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    struct sigaction now = {};
    ::sigaction(kSignals[i], nullptr, &now);
    if (now.sa_handler == pass_on) ::sigaction(kSignals[i], &impl_->old[i], nullptr);
  }
  ::close(impl_->pipe[1]);
  impl_->cleaner.join();
  ::close(impl_->pipe[0]);
}

}  // namespace laurel
