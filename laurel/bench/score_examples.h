// Rewards of all examples of a benchmark: from a model, or from a file of stored scores.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "laurel/bench/example.h"
#include "laurel/bench/reward_source.h"
#include "laurel/schema/benchmark_result.h"

namespace laurel::bench {

struct ScoreExamplesOptions {
  // Conversations per call, so that the model can share prompts and choose its order. An example is
  // never split, so a batch may be larger than this.
  std::size_t batch_conversations = 512;
  // Called after each batch with the conversations done and the total.
  std::function<void(std::int64_t done, std::int64_t total)> on_progress;
};

// In the order of the examples; `result` is still 0. Throws UserError naming the example for a
// conversation that cannot be scored and for a reward that is not a finite number.
std::vector<schema::ScoredExample> score_examples(const std::vector<Example>& examples,
                                                  RewardSource& source,
                                                  const ScoreExamplesOptions& options = {});

// Scores from a file: JSON lines {"id", "scores"}, right answers first, or the scores file of
// reward-bench's runners (one object of columns: id and scores, or scores_chosen and
// scores_rejected; nested or flat). Throws UserError naming the id for an id that is missing,
// unknown or given twice, a wrong number of scores, a score that is no finite number.
std::vector<schema::ScoredExample> read_scores(const std::vector<Example>& examples,
                                               const std::string& path);

// `path` itself if it is a file; in a directory its scores.jsonl, or the one file below it. Throws
// UserError if there is neither.
std::string find_scores_file(const std::string& path);

// The "model" of a reward-bench scores file; empty for JSON lines.
std::string stored_model_name(const std::string& path);

}  // namespace laurel::bench
