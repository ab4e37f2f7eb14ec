// Bootstrap confidence intervals: deterministic for a seed, on every machine.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "laurel/schema/benchmark_result.h"

namespace laurel::bench {

inline constexpr std::size_t kBootstrapReplicates = 2000;

// One value of the statistic per replicate; entries that are NaN (a statistic that a resample
// leaves undefined) are ignored by interval_of.
using Replicates = std::vector<double>;

// Draws `count` indices below `count` with replacement, many times, and calls the statistic on each
// draw.
Replicates bootstrap(std::size_t count, std::uint64_t seed,
                     const std::function<double(std::span<const std::size_t> sample)>& statistic);
// The same for the mean of values.
Replicates bootstrap_mean(std::span<const double> values, std::uint64_t seed);
// Replicate by replicate: Σ weight·value / Σ weight.
Replicates combine(const std::vector<Replicates>& parts, const std::vector<double>& weights);
// The middle 95 %; nullopt if too few replicates are defined.
std::optional<schema::Interval> interval_of(Replicates replicates);

}  // namespace laurel::bench
