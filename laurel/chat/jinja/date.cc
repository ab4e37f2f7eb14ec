#include <array>
#include <charconv>

#include "laurel/chat/jinja/builtins.h"
#include "laurel/chat/jinja/problem.h"

namespace laurel::chat::jinja {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};
constexpr std::array<std::string_view, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                   "Thursday", "Friday", "Saturday"};
constexpr std::array<int, 12> kDaysBefore = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};

struct Date {
  int year, month, day;

  bool is_leap() const { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }
  int day_of_year() const {
    return kDaysBefore[static_cast<std::size_t>(month - 1)] + day +
           (month > 2 && is_leap() ? 1 : 0);
  }
  // 0: Sunday.
  int day_of_week() const {
    const int before = year - 1;
    return (before * 365 + before / 4 - before / 100 + before / 400 + day_of_year()) % 7;
  }
};

Date parse(std::string_view text) {
  Date date{};
  const auto number = [&](std::size_t at, std::size_t size, int& value) {
    const std::string_view part = text.substr(at, size);
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    return error == std::errc() && end == part.data() + size;
  };
  const bool well_formed = text.size() == 10 && text[4] == '-' && text[7] == '-' &&
                           number(0, 4, date.year) && number(5, 2, date.month) &&
                           number(8, 2, date.day);
  constexpr std::array<int, 12> kLengths = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (!well_formed || date.year < 1 || date.month < 1 || date.month > 12 || date.day < 1 ||
      date.day > kLengths[static_cast<std::size_t>(date.month - 1)] +
                     (date.month == 2 && date.is_leap() ? 1 : 0)) {
    fail("template date: expected YYYY-MM-DD, got '{}'", text);
  }
  return date;
}

std::string directive(const Date& date, char letter, bool padded) {
  const auto two = [&](int value) {
    return padded ? fmt::format("{:02}", value) : fmt::format("{}", value);
  };
  const std::string_view month = kMonths[static_cast<std::size_t>(date.month - 1)];
  const std::string_view day = kDays[static_cast<std::size_t>(date.day_of_week())];
  switch (letter) {
    case 'd':
      return two(date.day);
    case 'e':
      return fmt::format("{:2}", date.day);
    case 'm':
      return two(date.month);
    case 'b':
    case 'h':
      return std::string(month.substr(0, 3));
    case 'B':
      return std::string(month);
    case 'Y':
      return fmt::format("{}", date.year);
    case 'y':
      return two(date.year % 100);
    case 'a':
      return std::string(day.substr(0, 3));
    case 'A':
      return std::string(day);
    case 'w':
      return fmt::format("{}", date.day_of_week());
    case 'u':
      return fmt::format("{}", date.day_of_week() == 0 ? 7 : date.day_of_week());
    case 'j':
      return padded ? fmt::format("{:03}", date.day_of_year())
                    : fmt::format("{}", date.day_of_year());
    case 'H':
    case 'M':
    case 'S':
      return two(0);
    case 'I':
      return two(12);
    case 'p':
      return "AM";
    case 'f':
      return "000000";
    case 'F':
      return fmt::format("{:04}-{:02}-{:02}", date.year, date.month, date.day);
    case 'D':
    case 'x':
      return fmt::format("{:02}/{:02}/{:02}", date.month, date.day, date.year % 100);
    case 'T':
    case 'X':
      return "00:00:00";
    case 'R':
      return "00:00";
    case 'c':
      return fmt::format("{} {} {:2} 00:00:00 {}", day.substr(0, 3), month.substr(0, 3), date.day,
                         date.year);
    case 'z':
    case 'Z':
      return "";
    case 'n':
      return "\n";
    case 't':
      return "\t";
    case '%':
      return "%";
    default:
      fail("strftime_now: the directive '%{}' is not supported", letter);
  }
}

}  // namespace

std::string format_date(std::string_view date_text, std::string_view format) {
  const Date date = parse(date_text);
  std::string text;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      text.push_back(format[i]);
      continue;
    }
    const bool padded = i + 1 >= format.size() || format[i + 1] != '-';
    i += padded ? 1 : 2;
    if (i >= format.size()) fail("strftime_now: the format ends after '%'");
    text += directive(date, format[i], padded);
  }
  return text;
}

}  // namespace laurel::chat::jinja
