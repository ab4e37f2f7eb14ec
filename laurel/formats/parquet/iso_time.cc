#include "laurel/formats/parquet/iso_time.h"

#include <array>
#include <chrono>
#include <cstdio>

#include "laurel/formats/parquet/error.h"

namespace laurel::formats::parquet {
namespace {

constexpr std::int64_t kSecondsPerDay = 86'400;
constexpr std::int64_t kFirstDay = -719'162;  // 0001-01-01
constexpr std::int64_t kLastDay = 2'932'896;  // 9999-12-31

std::int64_t ticks_per_second(arrow::TimeUnit::type unit) {
  switch (unit) {
    case arrow::TimeUnit::SECOND:
      return 1;
    case arrow::TimeUnit::MILLI:
      return 1'000;
    case arrow::TimeUnit::MICRO:
      return 1'000'000;
    case arrow::TimeUnit::NANO:
      return 1'000'000'000;
  }
  throw ReadError("unknown unit of time");
}

std::int64_t floor_divide(std::int64_t value, std::int64_t divisor) {
  return value / divisor - (value % divisor < 0 ? 1 : 0);
}

}  // namespace

void append_date(std::int64_t days_since_epoch, std::string& out) {
  if (days_since_epoch < kFirstDay || days_since_epoch > kLastDay)
    throw ReadError("date outside the years 1 to 9999");
  const std::chrono::year_month_day date{
      std::chrono::sys_days{std::chrono::days{days_since_epoch}}};
  std::array<char, 16> text;
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02u", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  out += text.data();
}

void append_time(std::int64_t ticks, arrow::TimeUnit::type unit, std::string& out) {
  const std::int64_t per_second = ticks_per_second(unit);
  if (ticks < 0 || ticks >= kSecondsPerDay * per_second)
    throw ReadError("time of day outside 24 hours");
  const int seconds = static_cast<int>(ticks / per_second);
  const int nanoseconds = static_cast<int>(ticks % per_second * (1'000'000'000 / per_second));
  std::array<char, 24> text;
  std::snprintf(text.data(), text.size(), "%02d:%02d:%02d", seconds / 3600, seconds / 60 % 60,
                seconds % 60);
  out += text.data();
  if (nanoseconds == 0) return;
  const bool whole_micros = nanoseconds % 1'000 == 0;
  std::snprintf(text.data(), text.size(), whole_micros ? ".%06d" : ".%09d",
                whole_micros ? nanoseconds / 1'000 : nanoseconds);
  out += text.data();
}

void append_timestamp(std::int64_t ticks, arrow::TimeUnit::type unit, std::string& out) {
  const std::int64_t ticks_per_day = kSecondsPerDay * ticks_per_second(unit);
  const std::int64_t days = floor_divide(ticks, ticks_per_day);
  append_date(days, out);
  out += 'T';
  append_time(ticks - days * ticks_per_day, unit, out);
}

}  // namespace laurel::formats::parquet
