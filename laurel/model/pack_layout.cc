#include "laurel/model/pack_layout.h"

#include <algorithm>
#include <iterator>
#include <numeric>

#include "laurel/base/error.h"

namespace laurel::model {
namespace {

void check_tokens(const ModelConfig& config, const packing::Pack& pack) {
  for (const std::int32_t token : pack.tokens) {
    if (token < 0 || token >= config.vocab_size) {
      throw InternalError("forward: token id {} outside the vocabulary of {}", token,
                          config.vocab_size);
    }
  }
}

}  // namespace

PackLayout::PackLayout(const ModelConfig& config, const packing::Pack& source)
    : pack(source), num_rows(static_cast<std::int64_t>(source.tokens.size())) {
  check_tokens(config, pack);
  angles = rotary_angles(config.rope,
                         1 + *std::max_element(pack.positions.begin(), pack.positions.end()));
  all.positions = pack.positions;
  for (std::size_t i = 0; i < pack.segments.size(); ++i) {
    const packing::Segment& segment = pack.segments[i];
    segments.push_back({segment.row_offset, segment.num_rows, segment.start, segment.parent});
    all.runs.push_back({static_cast<std::int32_t>(i), 0, segment.num_rows, segment.row_offset});
  }
  scored.all = false;
  for (const packing::ScorePoint& point : pack.score_points) {  // in row order
    const packing::Segment& segment = pack.segments[static_cast<std::size_t>(point.segment)];
    const auto row = static_cast<std::int32_t>(segment.row_offset + point.index_in_segment);
    if (scored.rows.empty() || scored.rows.back() != row) {
      scored.runs.push_back({point.segment, point.index_in_segment, 1, scored.count()});
      scored.rows.push_back(row);
      scored.positions.push_back(pack.positions[static_cast<std::size_t>(row)]);
    }
    scored_of_point.push_back(scored.count() - 1);
  }
  find_first_rows();
  find_end_rows();
  std::ranges::set_union(end_rows, first_rows, std::back_inserter(all.fine_rows));
  scored.fine_rows.resize(scored.rows.size());
  std::iota(scored.fine_rows.begin(), scored.fine_rows.end(), 0);
}

void PackLayout::find_first_rows() {
  std::vector<std::int64_t> root_starts;
  for (const packing::Segment& segment : pack.segments) {
    root_starts.push_back(
        segment.parent < 0 ? segment.start : root_starts[static_cast<std::size_t>(segment.parent)]);
    const std::int64_t end = root_starts.back() + kFirstTokens - segment.start;
    for (std::int64_t i = 0; i < std::min(segment.num_rows, end); ++i)
      first_rows.push_back(static_cast<std::int32_t>(segment.row_offset + i));
  }
}

// As far as they are in the segment of the score point, which with separate ends has them all.
void PackLayout::find_end_rows() {
  for (const packing::ScorePoint& point : pack.score_points) {
    const packing::Segment& segment = pack.segments[static_cast<std::size_t>(point.segment)];
    const std::int64_t count = std::min(packing::kEndTokens, point.index_in_segment + 1);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t row = segment.row_offset + point.index_in_segment - i;
      end_rows.push_back(static_cast<std::int32_t>(row));
    }
  }
  std::ranges::sort(end_rows);
  end_rows.erase(std::unique(end_rows.begin(), end_rows.end()), end_rows.end());
}

}  // namespace laurel::model
