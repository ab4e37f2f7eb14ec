#include "laurel/sweep/launcher.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>

#include "laurel/base/error.h"

extern char** environ;

namespace laurel::sweep {
namespace {

constexpr const char* kOwnExecutable = "/proc/self/exe";

// A log, opened for appending and locked. The lock belongs to the open file, which the process
// inherits as its output: it lasts until both sides have closed it, that is as long as the process
// lives.
class LockedLog {
 public:
  explicit LockedLog(const std::filesystem::path& path) : path_(path.string()) {
    descriptor_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (descriptor_ < 0) fail("open");
  }
  ~LockedLog() { ::close(descriptor_); }
  LockedLog(const LockedLog&) = delete;
  LockedLog& operator=(const LockedLog&) = delete;

  bool try_lock() const {
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return true;
    if (errno != EWOULDBLOCK) fail("lock");
    return false;
  }
  int descriptor() const { return descriptor_; }

 private:
  [[noreturn]] void fail(const char* action) const {
    throw IoError("{}: cannot {}: {}", path_, action, std::strerror(errno));
  }

  std::string path_;
  int descriptor_ = -1;
};

class SpawnActions {
 public:
  SpawnActions() { ::posix_spawn_file_actions_init(&actions_); }
  ~SpawnActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
  posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

// A group of its own, and signals as a fresh program has them.
class SpawnAttributes {
 public:
  SpawnAttributes() {
    ::posix_spawnattr_init(&attributes_);
    sigset_t none, usual;
    ::sigemptyset(&none);
    ::sigemptyset(&usual);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) ::sigaddset(&usual, signal);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &usual);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    ::posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnAttributes() { ::posix_spawnattr_destroy(&attributes_); }
  SpawnAttributes(const SpawnAttributes&) = delete;
  SpawnAttributes& operator=(const SpawnAttributes&) = delete;
  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

}  // namespace

struct ProcessLauncher::Signals {
  sigset_t awaited;
  sigset_t before;
};

ProcessLauncher::ProcessLauncher() : signals_(std::make_unique<Signals>()) {
  ::sigemptyset(&signals_->awaited);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD})
    ::sigaddset(&signals_->awaited, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals_->awaited, &signals_->before);
}

ProcessLauncher::~ProcessLauncher() { ::pthread_sigmask(SIG_SETMASK, &signals_->before, nullptr); }

pid_t ProcessLauncher::start(const std::string& job, const std::vector<std::string>& arguments,
                             const std::filesystem::path& log) {
  const LockedLog output(log);
  if (!output.try_lock()) {
    throw InternalError("{}: another process writes to {}", job, log.string());
  }
  SpawnActions actions;
  ::posix_spawn_file_actions_addopen(actions.get(), STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(actions.get(), output.descriptor(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(actions.get(), output.descriptor(), STDERR_FILENO);
  const SpawnAttributes attributes;
  std::vector<std::string> words = {"laurel"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t pid = 0;
  const int error =
      ::posix_spawn(&pid, kOwnExecutable, actions.get(), attributes.get(), argv.data(), environ);
  if (error != 0) throw IoError("{}: cannot start a process: {}", job, std::strerror(error));
  running_[pid] = job;
  return pid;
}

bool ProcessLauncher::reap(LaunchEvent& event) {
  for (const auto& [pid, job] : running_) {
    int status = 0;
    if (::waitpid(pid, &status, WNOHANG) != pid) continue;
    event = {LaunchEvent::Kind::kEnded, job,
             WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status)};
    running_.erase(pid);
    return true;
  }
  return false;
}

LaunchEvent ProcessLauncher::wait(double seconds) {
  LaunchEvent event;
  if (reap(event)) return event;
  const double whole = std::floor(seconds);
  const timespec time = {static_cast<time_t>(whole), static_cast<long>((seconds - whole) * 1e9)};
  const int signal = ::sigtimedwait(&signals_->awaited, nullptr, &time);
  if (signal == SIGINT || signal == SIGTERM || signal == SIGHUP) {
    event.kind = LaunchEvent::Kind::kStop;
  } else {
    reap(event);
  }
  return event;
}

void ProcessLauncher::stop_all(bool hard) {
  for (const auto& [pid, job] : running_) ::kill(pid, hard ? SIGKILL : SIGTERM);
}

void ProcessLauncher::settle(const std::filesystem::path& log, pid_t pid) {
  if (!std::filesystem::exists(log)) return;
  const LockedLog output(log);
  bool asked = false;
  while (!output.try_lock()) {
    // Whoever holds the lock is the process that was started with this log, so the id is still its.
    if (pid > 0 && !asked) ::kill(pid, SIGTERM);
    asked = true;
    const timespec pause = {0, 50'000'000};
    const int signal = ::sigtimedwait(&signals_->awaited, nullptr, &pause);
    if (signal == SIGINT || signal == SIGTERM || signal == SIGHUP) {
      throw UserError("stopped while waiting for the end of a process, log {}", log.string());
    }
  }
}

}  // namespace laurel::sweep
