// Laurel Mini: a small benchmark in RewardBench 2's form whose answers are right or wrong by
// construction, for demos, tests and practice training. Not a measure of a model's quality in the
// world.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "laurel/base/json.h"

namespace laurel::bench {

enum class MiniSplit { kTrain, kTest };

struct MiniOptions {
  MiniSplit split = MiniSplit::kTest;
  std::uint64_t seed = 1;
  std::int64_t size = 0;  // rows; 0: 150 for test, 3,000 for train
};

struct MiniRow {
  std::string id;
  std::string subset;
  std::string category;  // what within the subset, e.g. "capital"
  std::string prompt;
  std::vector<std::string> chosen;
  std::vector<std::string> rejected;
};

// Rows in RewardBench 2's order of subsets; Ties rows alternate tied:N, ref:N. The same options
// give the same rows on every machine. Train and test use different entities, and no prompt occurs
// in both. Throws UserError for a size below 12 or above 1,000,000.
std::vector<MiniRow> make_mini(const MiniOptions& options);

// A row as RewardBench 2 has it.
Json mini_row_json(const MiniRow& row);

// {"id", "subset", "chosen", "rejected"} with message lists: one pair for each rejected answer
// outside Ties; in Ties up to four pairs of a right and a wrong answer.
std::vector<Json> mini_pairs(const MiniRow& row);

}  // namespace laurel::bench
