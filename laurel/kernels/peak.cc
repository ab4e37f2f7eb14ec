#include "laurel/kernels/peak.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "laurel/kernels/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "laurel/kernels/peak.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "laurel/kernels/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace laurel::kernels::HWY_NAMESPACE {

constexpr std::int64_t kPeakDepth = 64;

// Of `calls` calls of the tile.
double tile_flops(std::int64_t calls) {
  return 2.0 * static_cast<double>(calls * kTileRows * kPanelCols * kPeakDepth);
}

// Calls the tile so often, over a depth whose operands stay in the first-level cache.
void call_tile(std::int64_t calls) {
  HWY_ALIGN float a[kTileRows * kDepthStride] = {};
  HWY_ALIGN float b[kPeakDepth * kPanelCols] = {};
  HWY_ALIGN float c[kTileRows * kPanelCols] = {};
  const TileFunction tile = tile_function(kTileRows);
  for (std::int64_t i = 0; i < calls; ++i)
    tile(a, b, kPeakDepth, c, kPanelCols, Start::kContinue, {});
}

}  // namespace laurel::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace laurel::kernels {
namespace {

HWY_EXPORT(tile_flops);
HWY_EXPORT(call_tile);

double seconds_of_calls(std::int64_t calls, ThreadPool& pool) {
  using Clock = std::chrono::steady_clock;
  const auto call = LAUREL_DISPATCH(call_tile);
  const Clock::time_point start = Clock::now();
  pool.run([&](int) { call(calls); });
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

double measure_peak_flops(ThreadPool& pool) {
  constexpr double kSeconds = 0.02;
  constexpr int kRounds = 8;
  std::int64_t calls = 1024;
  double seconds = seconds_of_calls(calls, pool);
  while (seconds < kSeconds) {
    calls *= 2;
    seconds = seconds_of_calls(calls, pool);
  }
  for (int i = 0; i < kRounds; ++i) seconds = std::min(seconds, seconds_of_calls(calls, pool));
  return pool.num_threads() * LAUREL_DISPATCH(tile_flops)(calls) / seconds;
}

}  // namespace laurel::kernels
#endif
