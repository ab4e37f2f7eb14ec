// Data files of the benchmarks, as examples. Every malformed row is a UserError naming file, row
// and key.
#pragma once

#include <string>
#include <vector>

#include "laurel/bench/example.h"
#include "laurel/formats/row_source.h"

namespace laurel::bench {

using formats::Row;

enum class Benchmark { kRewardBench2, kPreference, kRmBench, kRewardBench };

std::string_view to_string(Benchmark benchmark);  // "reward-bench-2", …
// Throws UserError for another name.
Benchmark benchmark_from_string(std::string_view name);

// Names of the six subsets of RewardBench 2, in the paper's order. "Ties" is the last.
const std::vector<std::string>& reward_bench_2_subsets();

// The examples of all files, in order. An id that occurs twice is an error.
std::vector<Example> read_examples(Benchmark benchmark, const std::vector<std::string>& paths);

// One row each; `number` counts rows over all files from 1 and is the id of rows that have none.
Example reward_bench_2_example(const Row& row);
Example preference_example(const Row& row, std::int64_t number);
Example reward_bench_example(const Row& row);
// `path` tells the part: chat_filtered.json, safety-refuse_filtered.json.gz, …
Example rm_bench_example(const Row& row, const std::string& path);

}  // namespace laurel::bench
