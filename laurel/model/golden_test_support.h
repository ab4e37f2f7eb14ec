// The tiny models of tests/goldens/model, and rewards of rows of tokens.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "laurel/base/thread_pool.h"
#include "laurel/model/reward_model.h"
#include "laurel/packing/forest.h"

namespace laurel::model {

using Rows = std::vector<std::vector<std::int32_t>>;

inline std::filesystem::path golden(const std::string& name) {
  return std::filesystem::path(LAUREL_SOURCE_DIR) / "tests/goldens/model" / name;
}

// In the order of the rows, whose first tokens have position `first_position`.
inline std::vector<float> rewards_of(const RewardModel& model, const Rows& rows,
                                     const packing::PlanOptions& options, ThreadPool& pool,
                                     std::int32_t first_position = 0) {
  std::vector<packing::Sequence> sequences;
  for (const auto& row : rows) sequences.push_back({row, first_position});
  std::vector<float> rewards(rows.size());
  for (const packing::Pack& pack : packing::plan_packs(sequences, options)) {
    const std::vector<float> values = model.forward(pack, pool);
    for (std::size_t i = 0; i < values.size(); ++i) {
      rewards[static_cast<std::size_t>(pack.score_points[i].sequence)] = values[i];
    }
  }
  return rewards;
}

}  // namespace laurel::model
