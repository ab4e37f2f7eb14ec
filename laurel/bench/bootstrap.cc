#include "laurel/bench/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "laurel/base/random.h"

namespace laurel::bench {
namespace {

// Linear interpolation between order statistics. Precondition: sorted, not empty.
double percentile(const Replicates& sorted, double share) {
  const double position = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (position - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

Replicates bootstrap(std::size_t count, std::uint64_t seed,
                     const std::function<double(std::span<const std::size_t>)>& statistic) {
  Replicates replicates;
  if (count == 0) return replicates;
  Random random(seed, "bootstrap");
  std::vector<std::size_t> sample(count);
  for (std::size_t r = 0; r < kBootstrapReplicates; ++r) {
    for (std::size_t& index : sample) index = random.below(count);
    replicates.push_back(statistic(sample));
  }
  return replicates;
}

Replicates bootstrap_mean(std::span<const double> values, std::uint64_t seed) {
  return bootstrap(values.size(), seed, [&](std::span<const std::size_t> sample) {
    double sum = 0;
    for (const std::size_t index : sample) sum += values[index];
    return sum / static_cast<double>(sample.size());
  });
}

Replicates combine(const std::vector<Replicates>& parts, const std::vector<double>& weights) {
  if (parts.empty() ||
      std::any_of(parts.begin(), parts.end(), [](const auto& part) { return part.empty(); }))
    return {};
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  Replicates sums(kBootstrapReplicates, 0.0);
  for (std::size_t p = 0; p < parts.size(); ++p) {
    for (std::size_t r = 0; r < sums.size(); ++r) sums[r] += weights[p] / total * parts[p][r];
  }
  return sums;
}

std::optional<schema::Interval> interval_of(Replicates replicates) {
  std::erase_if(replicates, [](double value) { return std::isnan(value); });
  if (replicates.size() < kBootstrapReplicates / 2) return std::nullopt;
  std::sort(replicates.begin(), replicates.end());
  return schema::Interval{percentile(replicates, 0.025), percentile(replicates, 0.975)};
}

}  // namespace laurel::bench
