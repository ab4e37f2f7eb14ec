// Dates and times as Python's isoformat() writes them.
#pragma once

#include <arrow/type.h>

#include <cstdint>
#include <string>

namespace laurel::formats::parquet {

// "2024-02-29". Throws ReadError outside the years 1 to 9999, as do timestamps.
void append_date(std::int64_t days_since_epoch, std::string& out);
// "23:59:59", with ".123456" when a fraction is left and nine digits when it needs them. `ticks`
// count `unit` since midnight.
void append_time(std::int64_t ticks, arrow::TimeUnit::type unit, std::string& out);
// "2024-02-29T23:59:59". `ticks` count `unit` since the epoch.
void append_timestamp(std::int64_t ticks, arrow::TimeUnit::type unit, std::string& out);

}  // namespace laurel::formats::parquet
