#include "laurel/train/nonfinite.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "laurel/train/objective.h"
#include "laurel/train/optimizer.h"

namespace laurel::train {

std::vector<std::int64_t> find_nonfinite_gradients(model::TrainableModel& model,
                                                   const data::TrainingSet& set,
                                                   std::span<const std::int64_t> examples,
                                                   const LossOptions& loss, ThreadPool& pool) {
  const MicroBatchOptions whole = {.max_tokens = std::numeric_limits<std::int64_t>::max()};
  std::vector<std::int64_t> culprits;
  for (const std::int64_t& example : examples) {
    model.clear_gradients(pool);
    add_gradients(model, set, {&example, 1}, loss, whole, nullptr, pool);
    if (!std::isfinite(Optimizer::gradient_norm(model.parameters(), pool))) {
      culprits.push_back(example);
    }
  }
  if (culprits.empty()) culprits.assign(examples.begin(), examples.end());
  return culprits;
}

std::string row_names(const data::TrainingSet& set, std::span<const std::int64_t> examples) {
  constexpr std::size_t kShown = 12;
  std::string text;
  for (std::size_t i = 0; i < examples.size() && i < kShown; ++i) {
    const data::TrainingExample& example = set.examples[static_cast<std::size_t>(examples[i])];
    text += fmt::format("{}{}:{}", i == 0 ? "" : ", ",
                        set.sources.at(static_cast<std::size_t>(example.source)), example.row);
  }
  if (examples.size() > kShown) text += fmt::format(" and {} more", examples.size() - kShown);
  return text;
}

}  // namespace laurel::train
