// Where rewards come from, as far as an evaluation knows: a batch of conversations in, a reward or
// a reason each out.
#pragma once

#include <span>
#include <vector>

#include "laurel/scoring/scorer.h"

namespace laurel::bench {

class RewardSource {
 public:
  virtual ~RewardSource() = default;
  // In input order. The reward of one conversation does not depend on the others.
  virtual std::vector<Result<scoring::Reward>> score(
      std::span<const scoring::Conversation> batch) = 0;
  // The text that the model sees.
  virtual Result<std::string> render(const scoring::Conversation& conversation) = 0;
};

// A loaded model. `scorer` must outlive it.
class ScorerSource : public RewardSource {
 public:
  explicit ScorerSource(const scoring::Scorer& scorer) : scorer_(scorer) {}
  std::vector<Result<scoring::Reward>> score(
      std::span<const scoring::Conversation> batch) override {
    return scorer_.score(batch);
  }
  Result<std::string> render(const scoring::Conversation& conversation) override {
    return scorer_.render(conversation);
  }

 private:
  const scoring::Scorer& scorer_;
};

}  // namespace laurel::bench
