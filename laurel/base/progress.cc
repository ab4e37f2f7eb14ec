#include "laurel/base/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

namespace laurel {
namespace {

constexpr std::chrono::milliseconds kRedrawInterval{100};

}  // namespace

std::string format_duration(double seconds) {
  constexpr double kLongest = 1e12;  // beyond it (and for NaN) the number means nothing
  const auto whole = static_cast<std::int64_t>(std::llround(std::clamp(seconds, 0.0, kLongest)));
  if (whole >= 3600) return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
  if (whole >= 60) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} s", whole);
}

std::string format_count(std::int64_t count) {
  const auto bits = static_cast<std::uint64_t>(count);
  std::string digits =
      std::to_string(count < 0 ? ~bits + 1 : bits);  // -count overflows for the smallest
  for (auto i = static_cast<std::int64_t>(digits.size()) - 3; i > 0; i -= 3) {
    digits.insert(static_cast<std::size_t>(i), ",");
  }
  return count < 0 ? "-" + digits : digits;
}

std::string format_bytes(std::uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  int unit = 0;
  while (value >= (unit == 0 ? 1000 : 999.95) && unit < 4) {  // what would print as 1000.0
    value /= 1000;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

Progress::Progress(std::string title, std::string unit, std::int64_t total)
    : title_(std::move(title)),
      unit_(std::move(unit)),
      total_(total),
      start_(Clock::now()),
      last_drawn_(start_),
      enabled_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() { finish(); }

void Progress::update(std::int64_t done, std::int64_t total) {
  if (total >= 0) total_ = total;
  const Clock::time_point now = Clock::now();
  if (!enabled_ || (drawn_ && now - last_drawn_ < kRedrawInterval)) return;
  last_drawn_ = now;
  drawn_ = true;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  std::string line = fmt::format("{}: {} {}", title_, format_count(done), unit_);
  if (total_ > 0) {
    line += fmt::format(" of {} ({:.0f} %)", format_count(total_),
                        100.0 * static_cast<double>(done) / static_cast<double>(total_));
  }
  line += fmt::format(", {}/s", format_count(std::llround(rate)));
  if (total_ > done && rate > 0) {
    line += fmt::format(", {} left", format_duration(static_cast<double>(total_ - done) / rate));
  }
  fmt::print(stderr, "\r\x1b[2K{}", line);
  std::fflush(stderr);
}

void Progress::finish() {
  if (drawn_) fmt::print(stderr, "\r\x1b[2K");
  drawn_ = false;
}

}  // namespace laurel
