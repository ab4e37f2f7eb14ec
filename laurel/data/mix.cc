#include "laurel/data/mix.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <numeric>
#include <optional>
#include <random>

#include "laurel/base/error.h"

namespace laurel::data {
namespace {

// 2^53: whole numbers up to here are exact in a double.
constexpr double kMaxRows = 9007199254740992.0;

std::optional<Amount> parse_amount(std::string_view word) {
  const char* end = word.data() + word.size();
  Amount amount;
  amount.is_share = word.find('.') != word.npos;
  const auto result = amount.is_share ? std::from_chars(word.data(), end, amount.share)
                                      : std::from_chars(word.data(), end, amount.num_rows);
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return amount;
}

void check_amount(const Amount& amount, std::string_view text) {
  const bool positive =
      amount.is_share ? std::isfinite(amount.share) && amount.share > 0 : amount.num_rows > 0;
  if (!positive) throw UserError("mix \"{}\": expected an amount above 0", text);
}

// The last word of `text`, taken off it with the space before; empty if there is but one.
std::string_view take_last_word(std::string_view& text) {
  const std::size_t space = text.find_last_of(" \t");
  if (space == text.npos) return {};
  const std::string_view word = text.substr(space + 1);
  text = text.substr(0, text.find_last_not_of(" \t", space) + 1);
  return word;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

// numpy's random_interval: uniform on [0, max], by rejection under the smallest mask. It draws one
// 32-bit word per try up to 2^32 - 1, else two.
std::uint64_t random_interval(std::mt19937& engine, std::uint64_t max) {
  if (max == 0) return 0;
  const std::uint64_t mask = ~std::uint64_t{0} >> std::countl_zero(max);
  for (;;) {
    std::uint64_t value = engine();
    if (max > 0xffffffff) value = value << 32 | engine();
    if ((value & mask) <= max) return value & mask;
  }
}

// RandomState(seed).permutation(n): a legacy-seeded Mersenne Twister, shuffled from the end.
std::vector<std::int64_t> permutation(std::int64_t n, std::uint32_t seed) {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(n));
  std::iota(rows.begin(), rows.end(), 0);
  std::mt19937 engine(seed);
  for (std::size_t i = rows.size() - 1; i > 0; --i) {
    std::swap(rows[i], rows[random_interval(engine, i)]);
  }
  return rows;
}

}  // namespace

MixEntry parse_mix_entry(std::string_view text) {
  std::string_view rest = trimmed(text);
  if (rest.empty()) throw UserError("mix: expected \"SOURCE [AMOUNT [SPLIT]]\", got \"\"");
  MixEntry entry;
  std::string_view before = rest;
  const std::string_view last = take_last_word(before);
  std::string_view source = before;
  const std::string_view last_but_one = take_last_word(source);
  if (const auto amount = parse_amount(last)) {
    entry.amount = *amount;
    entry.amount_text = last;
    rest = before;
  } else if (const auto earlier = parse_amount(last_but_one)) {
    entry.amount = *earlier;
    entry.amount_text = last_but_one;
    entry.split = last;
    rest = source;
  }
  check_amount(entry.amount, text);
  entry.source = rest;
  return entry;
}

std::int64_t rows_of(const Amount& amount, std::int64_t num_rows, std::string_view where) {
  if (!amount.is_share) return amount.num_rows;
  const double rows = amount.share * static_cast<double>(num_rows);
  if (rows < 1 || rows > kMaxRows) {
    throw UserError("{}: expected an amount that gives at least one row, got {} of {} rows", where,
                    amount.share, num_rows);
  }
  return static_cast<std::int64_t>(rows);
}

std::vector<std::int64_t> pick_rows(std::int64_t num_rows, std::int64_t wanted,
                                    std::uint32_t seed) {
  std::vector<std::int64_t> rows;
  rows.reserve(static_cast<std::size_t>(wanted));
  for (std::int64_t copy = 0; copy < wanted / num_rows; ++copy) {
    for (std::int64_t row = 0; row < num_rows; ++row) rows.push_back(row);
  }
  if (const std::int64_t rest = wanted % num_rows; rest > 0) {
    const std::vector<std::int64_t> shuffled = permutation(num_rows, seed);
    rows.insert(rows.end(), shuffled.begin(), shuffled.begin() + rest);
  }
  return rows;
}

}  // namespace laurel::data
