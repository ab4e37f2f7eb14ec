// Processes of a sweep, behind an interface, so that tests can have them fail.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace laurel::sweep {

struct LaunchEvent {
  enum class Kind {
    kNothing,  // the time is over
    kEnded,    // a process of ours
    kStop,     // someone wants the sweep to end (Ctrl-C, SIGTERM)
  };
  Kind kind = Kind::kNothing;
  std::string job;      // that ended
  int exit_status = 0;  // 128 + signal for one killed by a signal
};

class Launcher {
 public:
  virtual ~Launcher() = default;

  // Starts `laurel ARGUMENTS…` with its output appended to `log`; returns the process id. Throws
  // IoError if that fails.
  virtual pid_t start(const std::string& job, const std::vector<std::string>& arguments,
                      const std::filesystem::path& log) = 0;
  // Waits for the next event, for at most `seconds`.
  virtual LaunchEvent wait(double seconds) = 0;
  // Asks every process of ours to end; with `hard`, ends it.
  virtual void stop_all(bool hard) = 0;
  // Waits until no process writes to `log` that an earlier sweep started and did not see end. It is
  // asked to end if its id was noted (pid > 0).
  virtual void settle(const std::filesystem::path& log, pid_t pid) = 0;
};

// This program's own executable as processes. While the object lives, SIGINT, SIGTERM, SIGHUP and
// SIGCHLD of this thread come as events. Processes have groups of their own, so that Ctrl-C on the
// terminal reaches the sweep only, which passes it on.
class ProcessLauncher : public Launcher {
 public:
  ProcessLauncher();
  ~ProcessLauncher() override;
  ProcessLauncher(const ProcessLauncher&) = delete;
  ProcessLauncher& operator=(const ProcessLauncher&) = delete;

  pid_t start(const std::string& job, const std::vector<std::string>& arguments,
              const std::filesystem::path& log) override;
  LaunchEvent wait(double seconds) override;
  void stop_all(bool hard) override;
  void settle(const std::filesystem::path& log, pid_t pid) override;

 private:
  bool reap(LaunchEvent& event);

  struct Signals;
  std::unique_ptr<Signals> signals_;
  std::map<pid_t, std::string> running_;  // job by process id
};

}  // namespace laurel::sweep
