#include "laurel/profile/breakdown.h"

#include <fmt/format.h>

#include <algorithm>

namespace laurel::profile {
namespace {

OpShare share_of(const kernels::OpCount& count, double seconds, const MachineRates& rates) {
  const double arithmetic = count.flops / rates.product_flops;
  const double traffic = count.bytes / rates.memory_bytes;
  OpShare op{count, count.seconds / seconds, std::max(arithmetic, traffic), Limit::kOverhead};
  if (count.seconds < 0.9 * traffic) {
    op.limit = arithmetic > 0.5 * count.seconds ? Limit::kArithmetic : Limit::kCache;
  } else if (count.seconds <= 2 * op.least_seconds) {
    op.limit = arithmetic >= traffic ? Limit::kArithmetic : Limit::kMemory;
  }
  return op;
}

std::string rate_text(double amount, double seconds) {
  return amount == 0 || seconds == 0 ? "" : fmt::format("{:.1f}", amount / seconds / 1e9);
}

std::string table_line(std::string_view name, const std::string& calls, double seconds,
                       double share, const std::string& flops, const std::string& bytes,
                       std::string_view limit) {
  return fmt::format("  {:<26}{:>7}{:>10.3f}{:>7.1f}%{:>10}{:>8}  {}\n", name, calls, seconds,
                     100 * share, flops, bytes, limit);
}

}  // namespace

std::string_view to_string(Limit limit) {
  switch (limit) {
    case Limit::kArithmetic:
      return "arithmetic";
    case Limit::kMemory:
      return "memory";
    case Limit::kCache:
      return "cache";
    case Limit::kOverhead:
      return "overhead";
  }
  return "?";
}

Breakdown break_down(std::span<const kernels::OpCount> counts, double seconds,
                     const MachineRates& rates) {
  Breakdown breakdown;
  breakdown.seconds = seconds;
  breakdown.rest_seconds = seconds;
  for (const kernels::OpCount& count : counts) {
    breakdown.ops.push_back(share_of(count, seconds, rates));
    breakdown.flops += count.flops;
    breakdown.rest_seconds -= count.seconds;
  }
  std::stable_sort(breakdown.ops.begin(), breakdown.ops.end(),
                   [](const OpShare& a, const OpShare& b) { return a.share > b.share; });
  return breakdown;
}

std::string to_table(const Breakdown& breakdown, std::string_view rest) {
  std::string text = fmt::format("  {:<26}{:>7}{:>10}{:>8}{:>10}{:>8}  {}\n", "op", "calls",
                                 "seconds", "share", "GFLOP/s", "GB/s", "limit");
  for (const OpShare& op : breakdown.ops) {
    text += table_line(op.count.name, std::to_string(op.count.calls), op.count.seconds, op.share,
                       rate_text(op.count.flops, op.count.seconds),
                       rate_text(op.count.bytes, op.count.seconds), to_string(op.limit));
  }
  text += table_line(rest, "", breakdown.rest_seconds, breakdown.rest_seconds / breakdown.seconds,
                     "", "", "");
  return text;
}

Json to_json(const Breakdown& breakdown) {
  Json ops = Json::array();
  for (const OpShare& op : breakdown.ops) {
    ops.push_back({{"op", op.count.name},
                   {"calls", op.count.calls},
                   {"seconds", op.count.seconds},
                   {"share", op.share},
                   {"flops", op.count.flops},
                   {"bytes", op.count.bytes},
                   {"least_seconds", op.least_seconds},
                   {"limit", to_string(op.limit)}});
  }
  return {{"seconds", breakdown.seconds},
          {"sequence_tokens", breakdown.sequence_tokens},
          {"physical_tokens", breakdown.physical_tokens},
          {"tokens_per_second", breakdown.tokens_per_second()},
          {"gflops", breakdown.flops_per_second() / 1e9},
          {"ops", std::move(ops)},
          {"rest_seconds", breakdown.rest_seconds}};
}

}  // namespace laurel::profile
