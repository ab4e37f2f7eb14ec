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

}  // namespace laurel::bench
