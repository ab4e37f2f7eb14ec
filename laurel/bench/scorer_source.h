// A loaded model as a RewardSource. In a header of its own, so that bench itself needs no model to
// link.
#pragma once

#include <vector>

#include "laurel/bench/reward_source.h"
#include "laurel/scoring/scorer.h"

namespace laurel::bench {

// `scorer` must outlive it.
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
