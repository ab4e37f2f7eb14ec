// Benchmarks on a model that is being trained.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "laurel/base/json.h"
#include "laurel/bench/readers.h"
#include "laurel/bench/reward_source.h"
#include "laurel/chat/encoder.h"
#include "laurel/model/trainable_model.h"
#include "laurel/schema/benchmark_result.h"
#include "laurel/schema/run_record.h"

namespace laurel::cli {

// Rewards of the model as it is now. The arguments outlive it.
class LiveRewards : public bench::RewardSource {
 public:
  LiveRewards(const model::TrainableModel& model, const chat::Encoder& encoder,
              std::int64_t batch_tokens, ThreadPool& pool)
      : model_(model), encoder_(encoder), batch_tokens_(batch_tokens), pool_(pool) {}

  std::vector<Result<scoring::Reward>> score(std::span<const scoring::Conversation> batch) override;
  Result<std::string> render(const scoring::Conversation& conversation) override;

  const schema::RunFacts& facts() const { return facts_; }

 private:
  const model::TrainableModel& model_;
  const chat::Encoder& encoder_;
  std::int64_t batch_tokens_;
  ThreadPool& pool_;
  schema::RunFacts facts_;
};

// A benchmark and its rows, read once for all evaluations of a run.
class LiveBenchmark {
 public:
  // Throws UserError as bench::read_examples does.
  LiveBenchmark(const std::string& name, std::vector<std::string> files);

  // Evaluates and writes the files of `laurel eval` into folder/step-NNNNNNNN-NAME, whole or not at
  // all.
  schema::RunEvaluation run(LiveRewards& rewards, const chat::Encoder& encoder,
                            const schema::ModelInfo& model, std::int64_t step,
                            const std::filesystem::path& folder) const;

 private:
  bench::Benchmark benchmark_;
  std::vector<std::string> files_;
  std::vector<bench::Example> examples_;
};

}  // namespace laurel::cli
