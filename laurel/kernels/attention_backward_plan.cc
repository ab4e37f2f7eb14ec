#include "laurel/kernels/attention_backward_plan.h"

#include <algorithm>
#include <cstddef>

#include "laurel/kernels/partition.h"

namespace laurel::kernels {
namespace {

// Steps begin at multiples of this many stacked rows: whole panels on every instruction set.
constexpr std::int64_t kRowUnit = 32;
// What a step keeps should stay in the second-level cache: floats of its rows.
constexpr std::int64_t kStepFloats = 192 * 1024;

std::int64_t rows_per_step(std::int64_t head_dim) {
  const std::int64_t rows = kStepFloats / (5 * head_dim + 3 * kMaxTileKeys);
  return std::clamp(rows / kRowUnit * kRowUnit, kRowUnit, kMaxStepRows);
}

class Planner {
 public:
  Planner(std::span<const AttentionSegment> segments, const AttentionShape& shape)
      : segments_(segments), shape_(shape) {
    for (const AttentionSegment& segment : segments) cut_segment(segment);
    turns_.resize(plan_.tiles.size());
  }

  void cut_run(const QueryRun& run) {
    const std::int64_t num_rows = run.num_rows * group();
    const std::int64_t num_units = ceil_div(num_rows, kRowUnit);
    const std::int64_t parts = ceil_div(num_rows, rows_per_step(shape_.head_dim));
    for (std::int64_t part = 0; part < parts; ++part) {
      const Range units = part_of(num_units, parts, part);
      GradientStep step;
      step.run = run;
      step.start = segments_[static_cast<std::size_t>(run.segment)].start;
      step.begin = units.begin * kRowUnit;
      step.num_rows = std::min(units.end * kRowUnit, num_rows) - step.begin;
      add_visits(step);
      plan_.steps.push_back(std::move(step));
    }
  }

  GradientPlan take() { return std::move(plan_); }

 private:
  std::int64_t group() const { return shape_.num_heads / shape_.num_kv_heads; }

  void cut_segment(const AttentionSegment& segment) {
    first_tile_.push_back(plan_.tiles.size());
    const std::int64_t parts = ceil_div(segment.num_rows, kMaxTileKeys);
    for (std::int64_t i = 0; i < parts; ++i) {
      const Range keys = part_of(segment.num_rows, parts, i);
      plan_.tiles.push_back(
          {segment.row_offset + keys.begin, keys.size(), segment.start + keys.begin});
    }
  }

  void add_visits(GradientStep& step) {
    const std::int64_t first = step.start + step.run.first + step.begin / group();
    const std::int64_t last =
        step.start + step.run.first + (step.begin + step.num_rows - 1) / group();
    const std::int64_t first_visible = shape_.window > 0 ? first - shape_.window + 1 : 0;
    for (std::int32_t s = step.run.segment; s >= 0;
         s = segments_[static_cast<std::size_t>(s)].parent) {
      const std::size_t begin = first_tile_[static_cast<std::size_t>(s)];
      const std::size_t end = static_cast<std::size_t>(s) + 1 < first_tile_.size()
                                  ? first_tile_[static_cast<std::size_t>(s) + 1]
                                  : plan_.tiles.size();
      for (std::size_t t = end; t-- > begin;) {
        const KeyTile& tile = plan_.tiles[t];
        if (tile.position > last || tile.position + tile.num_keys <= first_visible) continue;
        step.visits.push_back({static_cast<std::int32_t>(t), turns_[t]++});
        plan_.cost += step.num_rows * tile.num_keys * 5 * shape_.head_dim;
      }
    }
    std::reverse(step.visits.begin(), step.visits.end());
  }

  std::span<const AttentionSegment> segments_;
  AttentionShape shape_;
  GradientPlan plan_;
  std::vector<std::size_t> first_tile_;  // of each segment
  std::vector<std::int32_t> turns_;      // given out so far, of each tile
};

}  // namespace

GradientPlan plan_attention_backward(std::span<const AttentionSegment> segments,
                                     std::span<const QueryRun> runs, const AttentionShape& shape) {
  std::vector<QueryRun> ordered(runs.begin(), runs.end());
  std::sort(ordered.begin(), ordered.end(),
            [](const QueryRun& a, const QueryRun& b) { return a.query_row < b.query_row; });
  Planner planner(segments, shape);
  for (const QueryRun& run : ordered) planner.cut_run(run);
  return planner.take();
}

}  // namespace laurel::kernels
