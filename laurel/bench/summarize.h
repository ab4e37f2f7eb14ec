// From scored examples to the figures of a benchmark.
#pragma once

#include <vector>

#include "laurel/bench/readers.h"
#include "laurel/schema/benchmark_result.h"

namespace laurel::bench {

struct SummarizeOptions {
  std::uint64_t bootstrap_seed = 1;
  std::size_t max_mistakes = 20;
};

// Everything but model, rule and run facts. Precondition: one scored example per example, same
// order, and as many finite scores as conversations. Throws UserError if the data cannot carry the
// figures (Ties without any complete pair).
schema::BenchmarkResult summarize(Benchmark benchmark, const std::vector<Example>& examples,
                                  std::vector<schema::ScoredExample> scored,
                                  const SummarizeOptions& options = {});

}  // namespace laurel::bench
