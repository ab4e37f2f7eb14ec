// Files and directories that are removed unless their contents become complete, even if the user
// interrupts the program.
#pragma once

#include <filesystem>
#include <memory>

namespace laurel {

// A path that exists for as long as its contents are incomplete. Thread-safe.
class Temporary {
 public:
  Temporary() = default;
  explicit Temporary(std::filesystem::path path);
  ~Temporary() { discard(); }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  const std::filesystem::path& path() const { return path_; }
  bool empty() const { return path_.empty(); }
  void start(std::filesystem::path path);  // of an empty one
  void keep();                             // makes it empty
  void discard();                          // the same, and removes the path and all in it

 private:
  std::filesystem::path path_;
};

// While it lives, SIGINT, SIGTERM and SIGHUP remove all temporaries before they end the program as
// ever. Signals that are ignored stay so; handlers that are installed later take over. One at a
// time.
class InterruptCleanup {
 public:
  InterruptCleanup();
  ~InterruptCleanup();
  InterruptCleanup(const InterruptCleanup&) = delete;
  InterruptCleanup& operator=(const InterruptCleanup&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace laurel
