#include "laurel/profile/machine_rates.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "laurel/kernels/backward.h"
#include "laurel/kernels/ops.h"
#include "laurel/kernels/peak.h"

namespace laurel::profile {
namespace {

// The least time of several calls: what the machine can do when nothing disturbs it.
template <typename Action>
double least_seconds(int rounds, const Action& action) {
  using Clock = std::chrono::steady_clock;
  double least = 1e30;
  for (int i = 0; i < rounds; ++i) {
    const Clock::time_point start = Clock::now();
    action();
    least = std::min(least, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return least;
}

double product_flops(std::int64_t size, ThreadPool& pool) {
  const auto count = static_cast<std::size_t>(size * size);
  const std::vector<float> x(count, 0.5f), w(count, 0.25f);
  std::vector<float> y(count);
  const double seconds = least_seconds(6, [&] {
    kernels::linear({x.data(), size, size, size}, {w.data(), DType::kF32, size, size}, {},
                    {y.data(), size, size, size}, kernels::Accumulate::kNo, pool);
  });
  return 2 * static_cast<double>(count) * static_cast<double>(size) / seconds;
}

double memory_bytes(ThreadPool& pool) {
  constexpr std::int64_t kRows = 1 << 10, kCols = 1 << 14;  // 64 MiB an array
  const std::vector<float> x(kRows * kCols, 1);
  std::vector<float> y(kRows * kCols, 1);
  const double seconds = least_seconds(8, [&] {
    kernels::add({x.data(), kRows, kCols, kCols}, {y.data(), kRows, kCols, kCols}, pool);
  });
  return 3.0 * sizeof(float) * kRows * kCols / seconds;
}

}  // namespace

MachineRates measure_machine(ThreadPool& pool) {
  MachineRates rates;
  rates.peak_flops = kernels::measure_peak_flops(pool);
  for (const std::int64_t size : {768, 1024, 1536}) {
    rates.product_flops = std::max(rates.product_flops, product_flops(size, pool));
  }
  rates.memory_bytes = memory_bytes(pool);
  return rates;
}

Json to_json(const MachineRates& rates) {
  return {{"peak_gflops", rates.peak_flops / 1e9},
          {"product_gflops", rates.product_flops / 1e9},
          {"memory_gb_per_second", rates.memory_bytes / 1e9}};
}

}  // namespace laurel::profile
