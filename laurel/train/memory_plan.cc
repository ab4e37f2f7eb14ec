#include "laurel/train/memory_plan.h"

#include <algorithm>
#include <array>
#include <functional>
#include <numeric>
#include <vector>

#include "laurel/base/error.h"
#include "laurel/base/progress.h"
#include "laurel/data/summary.h"
#include "laurel/model/decoder_weights.h"

namespace laurel::train {
namespace {

constexpr std::array kRecomputes = {model::Recompute::kNone, model::Recompute::kAttention,
                                    model::Recompute::kBlock};

std::string size_text(std::int64_t bytes) {
  return format_bytes(static_cast<std::uint64_t>(std::max<std::int64_t>(bytes, 0)));
}

std::int64_t largest_tensor_bytes(const model::ModelConfig& config) {
  std::int64_t most = 0;
  for (const model::ExpectedTensor& tensor : model::expected_tensors(config)) {
    most = std::max(most, tensor.num_elements());
  }
  return most * static_cast<std::int64_t>(sizeof(float));
}

MemoryQuestion with_lora(MemoryQuestion question) {
  question.options.lora = model::LoraOptions{};
  return question;
}

MemoryQuestion with_frozen(MemoryQuestion question, std::int64_t layers) {
  question.options.freeze_layers = layers;
  return question;
}

// Options, each of which alone (with the most recomputation) would make the run fit.
std::vector<std::string> suggestions(const MemoryQuestion& question) {
  const auto fits = [](const MemoryQuestion& changed, std::int64_t rows) {
    return memory_need(changed, model::Recompute::kBlock, rows).total() <= changed.available;
  };
  std::vector<std::string> result;
  if (!question.choose_recompute && fits(question, question.largest_pack)) {
    result.push_back("--recompute block");
  }
  for (std::int64_t rows = question.largest_pack / 2; rows >= question.largest_example; rows /= 2) {
    if (!fits(question, rows)) continue;
    result.push_back(fmt::format("--batch-tokens {}", rows));
    break;
  }
  const std::int64_t half = question.config.num_layers / 2;
  if (half > question.options.freeze_layers &&
      fits(with_frozen(question, half), question.largest_pack)) {
    result.push_back(fmt::format("--freeze-layers {}", half));
  }
  if (!question.options.lora && fits(with_lora(question), question.largest_pack)) {
    result.push_back("--lora-rank 8");
  }
  for (std::int64_t rows = question.largest_pack / 2; result.empty() && rows >= 64; rows /= 2) {
    if (!fits(with_lora(question), rows)) continue;
    result.push_back(fmt::format("--lora-rank 8 with --max-length {0} --batch-tokens {0}", rows));
  }
  return result;
}

[[noreturn]] void refuse(const MemoryQuestion& question, model::Recompute recompute) {
  const MemoryNeed need = memory_need(question, recompute, question.largest_pack);
  std::string hint;
  for (const std::string& option : suggestions(question)) {
    hint += (hint.empty() ? "; would fit: " : " or ") + option;
  }
  throw UserError(
      "training does not fit into memory: expected {} (weights {}, gradients {}, moments {}, "
      "activations of {} rows {} with recompute {}, writing {}), got {}{}",
      size_text(need.total()), size_text(need.weights), size_text(need.gradients),
      size_text(need.moments), format_count(question.largest_pack), size_text(need.activations),
      to_string(recompute), size_text(need.writing), size_text(question.available), hint);
}

}  // namespace

std::string_view to_string(model::Recompute recompute) {
  switch (recompute) {
    case model::Recompute::kNone:
      return "none";
    case model::Recompute::kAttention:
      return "attention";
    case model::Recompute::kBlock:
      return "block";
  }
  return "?";
}

std::int64_t largest_pack_rows(const data::TrainingSet& set, std::int64_t together,
                               std::int64_t max_tokens) {
  std::vector<std::int64_t> sizes;
  for (const data::TrainingExample& example : set.examples) {
    sizes.push_back(data::computed_tokens(example));
  }
  if (sizes.empty()) return 0;
  const auto count = std::min(static_cast<std::size_t>(together), sizes.size());
  std::partial_sort(sizes.begin(), sizes.begin() + static_cast<std::ptrdiff_t>(count), sizes.end(),
                    std::greater<>());
  const std::int64_t sum = std::accumulate(
      sizes.begin(), sizes.begin() + static_cast<std::ptrdiff_t>(count), std::int64_t{0});
  return std::max(sizes.front(), std::min(sum, max_tokens));
}

MemoryNeed memory_need(const MemoryQuestion& question, model::Recompute recompute,
                       std::int64_t rows) {
  model::TrainableOptions options = question.options;
  options.recompute = recompute;
  const model::TrainingMemory memory =
      model::TrainableModel::memory(question.config, options, question.stored);
  return {memory.weight_bytes, memory.gradient_bytes, 2 * memory.gradient_bytes,
          std::max(rows * (memory.bytes_per_row + memory.temporary_bytes_per_row),
                   question.largest_evaluated * memory.temporary_bytes_per_row),
          largest_tensor_bytes(question.config)};
}

model::Recompute plan_memory(const MemoryQuestion& question) {
  if (!question.choose_recompute) {
    const model::Recompute asked = question.options.recompute;
    if (memory_need(question, asked, question.largest_pack).total() > question.available) {
      refuse(question, asked);
    }
    return asked;
  }
  for (const model::Recompute recompute : kRecomputes) {
    if (memory_need(question, recompute, question.largest_pack).total() <= question.available) {
      return recompute;
    }
  }
  refuse(question, model::Recompute::kBlock);
}

}  // namespace laurel::train
