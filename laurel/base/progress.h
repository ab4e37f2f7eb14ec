// A progress line on standard error: rate and time left. Silent when standard error is no terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace laurel {

class Progress {
 public:
  // total 0 means unknown: rate without time left. `unit` is a plural noun, e.g. "tokens".
  Progress(std::string title, std::string unit, std::int64_t total = 0);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Total units done so far, and the total if it is now known better. Draws at most ten times a
  // second.
  void update(std::int64_t done, std::int64_t total = -1);
  // Removes the line.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  std::string title_;
  std::string unit_;
  std::int64_t total_;
  Clock::time_point start_;
  Clock::time_point last_drawn_;
  bool enabled_;
  bool drawn_ = false;
};

// "1 h 02 min", "3 min 05 s", "12 s".
std::string format_duration(double seconds);
// "1,234,567".
std::string format_count(std::int64_t count);
// "98.4 MB" (powers of ten).
std::string format_bytes(std::uint64_t bytes);

}  // namespace laurel
