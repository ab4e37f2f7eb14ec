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
// Runs of at most so many stacked rows leave much of their last panel empty: they share steps.
constexpr std::int64_t kShortRun = 64;

std::int64_t rows_per_step(std::int64_t head_dim) {
  const std::int64_t rows = kStepFloats / (5 * head_dim + 3 * kMaxTileKeys);
  return std::clamp(rows / kRowUnit * kRowUnit, kRowUnit, kMaxStepRows);
}

// A segment on the path of some rows of a step.
struct PathSegment {
  std::int32_t segment = 0;
  Range rows;
  Range positions;  // of these rows' queries
};

class Planner {
 public:
  Planner(std::span<const AttentionSegment> segments, const AttentionShape& shape)
      : segments_(segments),
        shape_(shape),
        group_(shape.num_heads / shape.num_kv_heads),
        max_rows_(rows_per_step(shape.head_dim)) {
    for (const AttentionSegment& segment : segments) cut_segment(segment);
    turns_.resize(plan_.tiles.size());
  }

  void add(const QueryRun& run) {
    const std::int64_t num_rows = run.num_rows * group_;
    const bool is_short = num_rows <= kShortRun;
    if (!is_short || !can_join(run)) finish_step();
    const std::int64_t num_units = ceil_div(num_rows, kRowUnit);
    const std::int64_t parts = ceil_div(num_rows, max_rows_);
    for (std::int64_t part = 0; part < parts; ++part) {
      const Range units = part_of(num_units, parts, part);
      add_rows(run, {units.begin * kRowUnit, std::min(units.end * kRowUnit, num_rows)});
      if (!is_short) finish_step();
    }
  }

  GradientPlan take() {
    finish_step();
    return std::move(plan_);
  }

 private:
  const AttentionSegment& segment(std::int32_t s) const {
    return segments_[static_cast<std::size_t>(s)];
  }

  void cut_segment(const AttentionSegment& segment) {
    first_tile_.push_back(plan_.tiles.size());
    const std::int64_t parts = ceil_div(segment.num_rows, kMaxTileKeys);
    for (std::int64_t i = 0; i < parts; ++i) {
      const Range keys = part_of(segment.num_rows, parts, i);
      plan_.tiles.push_back(
          {segment.row_offset + keys.begin, keys.size(), segment.start + keys.begin});
    }
  }

  PathSegment* find(std::int32_t s) {
    const auto found = std::find_if(path_.begin(), path_.end(),
                                    [&](const PathSegment& p) { return p.segment == s; });
    return found == path_.end() ? nullptr : &*found;
  }

  // Whether the run shares keys with the rows of the step so far, and the rows of each segment stay
  // consecutive.
  bool can_join(const QueryRun& run) {
    if (step_.num_rows + run.num_rows * group_ > max_rows_) return false;
    bool shares = false;
    for (std::int32_t s = run.segment; s >= 0; s = segment(s).parent) {
      const PathSegment* on_path = find(s);
      if (on_path == nullptr) continue;
      if (on_path->rows.end != step_.num_rows) return false;
      shares = true;
    }
    return shares;
  }

  void add_rows(const QueryRun& run, Range stacked) {
    const std::int64_t position = segment(run.segment).start + run.first;
    const Range rows{step_.num_rows, step_.num_rows + stacked.size()};
    const Range positions{position + stacked.begin / group_,
                          position + (stacked.end - 1) / group_ + 1};
    for (std::int32_t s = run.segment; s >= 0; s = segment(s).parent) {
      if (PathSegment* on_path = find(s)) {
        on_path->rows.end = rows.end;
        on_path->positions = {std::min(on_path->positions.begin, positions.begin),
                              std::max(on_path->positions.end, positions.end)};
      } else {
        path_.push_back({s, rows, positions});
      }
    }
    step_.parts.push_back({run.query_row, position, stacked.begin, stacked.size()});
    step_.num_rows = rows.end;
  }

  // Parents precede their children, so ascending tiles ascend along every path.
  void finish_step() {
    if (step_.num_rows == 0) return;
    std::sort(path_.begin(), path_.end(),
              [](const PathSegment& a, const PathSegment& b) { return a.segment < b.segment; });
    for (const PathSegment& on_path : path_) add_visits(on_path);
    plan_.steps.push_back(std::move(step_));
    step_ = GradientStep();
    path_.clear();
  }

  void add_visits(const PathSegment& on_path) {
    const auto s = static_cast<std::size_t>(on_path.segment);
    const std::size_t end = s + 1 < first_tile_.size() ? first_tile_[s + 1] : plan_.tiles.size();
    const std::int64_t lowest = shape_.window > 0 ? on_path.positions.begin - shape_.window + 1 : 0;
    for (std::size_t t = first_tile_[s]; t < end; ++t) {
      const KeyTile& tile = plan_.tiles[t];
      if (tile.position >= on_path.positions.end) break;
      if (tile.position + tile.num_keys <= lowest) continue;
      step_.visits.push_back({static_cast<std::int32_t>(t), turns_[t]++, on_path.rows});
      plan_.cost += on_path.rows.size() * tile.num_keys * 5 * shape_.head_dim;
    }
  }

  std::span<const AttentionSegment> segments_;
  AttentionShape shape_;
  std::int64_t group_;
  std::int64_t max_rows_;
  GradientPlan plan_;
  std::vector<std::size_t> first_tile_;  // of each segment
  std::vector<std::int32_t> turns_;      // given out so far, of each tile
  GradientStep step_;                    // under way
  std::vector<PathSegment> path_;        // of the step's rows
};

}  // namespace

GradientPlan plan_attention_backward(std::span<const AttentionSegment> segments,
                                     std::span<const QueryRun> runs, const AttentionShape& shape) {
  std::vector<QueryRun> ordered(runs.begin(), runs.end());
  std::sort(ordered.begin(), ordered.end(),
            [](const QueryRun& a, const QueryRun& b) { return a.query_row < b.query_row; });
  Planner planner(segments, shape);
  for (const QueryRun& run : ordered) planner.add(run);
  return planner.take();
}

}  // namespace laurel::kernels
