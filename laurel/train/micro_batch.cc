#include "laurel/train/micro_batch.h"

#include <algorithm>
#include <limits>

#include "laurel/base/error.h"

namespace laurel::train {
namespace {

using Examples = std::span<const std::int64_t>;

const data::TrainingExample& example_at(const data::TrainingSet& set, std::int64_t index) {
  return set.examples.at(static_cast<std::size_t>(index));
}

packing::Pack plan_one_pack(std::span<const packing::Sequence> sequences) {
  packing::PlanOptions options;
  options.max_tokens = std::numeric_limits<std::int64_t>::max();
  std::vector<packing::Pack> packs = packing::plan_packs(sequences, options);
  if (packs.size() != 1) throw InternalError("micro-batch: {} packs", packs.size());
  return std::move(packs[0]);
}

// Lays `other` beside what `pack` holds; its sequences are numbered from first_sequence on.
void append(packing::Pack& pack, const packing::Pack& other, std::int64_t first_sequence) {
  const auto first_segment = static_cast<std::int32_t>(pack.segments.size());
  const auto first_row = static_cast<std::int64_t>(pack.tokens.size());
  for (packing::Segment segment : other.segments) {
    if (segment.parent >= 0) segment.parent += first_segment;
    segment.row_offset += first_row;
    pack.segments.push_back(segment);
  }
  for (packing::ScorePoint point : other.score_points) {
    point.sequence += first_sequence;
    point.segment += first_segment;
    pack.score_points.push_back(point);
  }
  pack.tokens.insert(pack.tokens.end(), other.tokens.begin(), other.tokens.end());
  pack.positions.insert(pack.positions.end(), other.positions.begin(), other.positions.end());
}

std::vector<packing::Sequence> sequences_of(const data::TrainingSet& set, Examples examples) {
  std::vector<packing::Sequence> sequences;
  for (const std::int64_t index : examples) {
    for (const auto& tokens : example_at(set, index).sequences) sequences.push_back({tokens, 0});
  }
  return sequences;
}

packing::Pack plan_alone(const data::TrainingSet& set, Examples examples) {
  packing::Pack pack;
  std::int64_t first_sequence = 0;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    const auto sequences = sequences_of(set, examples.subspan(i, 1));
    append(pack, plan_one_pack(sequences), first_sequence);
    first_sequence += static_cast<std::int64_t>(sequences.size());
  }
  return pack;
}

void add_part(const data::TrainingSet& set, Examples examples, const MicroBatchOptions& options,
              std::vector<MicroBatch>& result) {
  MicroBatch batch = make_micro_batch(set, examples, options.examples_alone);
  if (static_cast<std::int64_t>(batch.pack.tokens.size()) <= options.max_tokens ||
      examples.size() == 1) {
    result.push_back(std::move(batch));
    return;
  }
  const std::size_t half = (examples.size() + 1) / 2;
  add_part(set, examples.first(half), options, result);
  add_part(set, examples.subspan(half), options, result);
}

}  // namespace

MicroBatch make_micro_batch(const data::TrainingSet& set, Examples examples, bool examples_alone) {
  const std::vector<packing::Sequence> sequences = sequences_of(set, examples);
  MicroBatch batch;
  batch.examples.assign(examples.begin(), examples.end());
  batch.pack = examples_alone ? plan_alone(set, examples) : plan_one_pack(sequences);
  std::size_t longest = 0;
  for (const packing::Sequence& sequence : sequences) {
    batch.num_tokens += static_cast<std::int64_t>(sequence.tokens.size());
    longest = std::max(longest, sequence.tokens.size());
  }
  batch.padded_tokens = static_cast<std::int64_t>(longest * sequences.size());
  return batch;
}

std::vector<MicroBatch> plan_micro_batches(const data::TrainingSet& set, Examples examples,
                                           const MicroBatchOptions& options) {
  const std::size_t count = examples.size();
  const std::size_t parts = std::clamp<std::size_t>(static_cast<std::size_t>(options.num_parts), 1,
                                                    std::max<std::size_t>(count, 1));
  std::vector<MicroBatch> result;
  for (std::size_t part = 0; part < parts && count > 0; ++part) {
    const std::size_t begin = count * part / parts, end = count * (part + 1) / parts;
    add_part(set, examples.subspan(begin, end - begin), options, result);
  }
  return result;
}

}  // namespace laurel::train
