#include "laurel/bench/score_examples.h"

#include <cmath>
#include <utility>

#include "laurel/base/error.h"

namespace laurel::bench {
namespace {

std::string place(const Example& example, std::size_t answer) {
  const auto num_correct = static_cast<std::size_t>(example.num_correct);
  const bool right = answer < num_correct;
  return fmt::format("example {}: {} answer {}", example.id, right ? "chosen" : "rejected",
                     right ? answer + 1 : answer - num_correct + 1);
}

schema::ScoredExample collect(const Example& example, std::span<Result<scoring::Reward>> rewards) {
  schema::ScoredExample scored;
  scored.id = example.id;
  scored.subset = example.subset;
  scored.num_correct = example.num_correct;
  for (std::size_t i = 0; i < rewards.size(); ++i) {
    if (!rewards[i].ok()) throw UserError("{}: {}", place(example, i), rewards[i].message());
    const scoring::Reward& reward = rewards[i].value();
    if (!std::isfinite(reward.value)) {
      throw UserError("{}: expected a finite reward, got {}", place(example, i), reward.value);
    }
    scored.scores.push_back(static_cast<double>(reward.value));
    scored.num_tokens.push_back(reward.num_tokens);
    scored.num_truncated += reward.num_dropped > 0 ? 1 : 0;
    scored.lengths.push_back(text_length(answer_text(example.conversations[i])));
  }
  return scored;
}

void score_batch(std::span<const Example> examples, RewardSource& source,
                 std::vector<schema::ScoredExample>& results) {
  std::vector<scoring::Conversation> batch;
  for (const Example& example : examples) {
    batch.insert(batch.end(), example.conversations.begin(), example.conversations.end());
  }
  std::vector<Result<scoring::Reward>> rewards = source.score(batch);
  if (rewards.size() != batch.size()) {
    throw InternalError("scorer: expected {} rewards, got {}", batch.size(), rewards.size());
  }
  std::size_t offset = 0;
  for (const Example& example : examples) {
    const std::size_t count = example.conversations.size();
    results.push_back(collect(example, std::span(rewards).subspan(offset, count)));
    offset += count;
  }
}

}  // namespace

std::vector<schema::ScoredExample> score_examples(const std::vector<Example>& examples,
                                                  RewardSource& source,
                                                  const ScoreExamplesOptions& options) {
  std::int64_t total = 0;
  for (const Example& example : examples)
    total += static_cast<std::int64_t>(example.conversations.size());
  std::vector<schema::ScoredExample> results;
  results.reserve(examples.size());
  std::int64_t done = 0;
  for (std::size_t begin = 0; begin < examples.size();) {
    std::size_t end = begin;
    std::size_t count = 0;
    while (end < examples.size() && (end == begin || count + examples[end].conversations.size() <=
                                                         options.batch_conversations)) {
      count += examples[end++].conversations.size();
    }
    score_batch(std::span(examples).subspan(begin, end - begin), source, results);
    begin = end;
    done += static_cast<std::int64_t>(count);
    if (options.on_progress) options.on_progress(done, total);
  }
  return results;
}

}  // namespace laurel::bench
