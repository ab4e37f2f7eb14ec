#include "laurel/model/pack_layout.h"

#include <algorithm>
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
  all.score_rows = scored.rows;
  scored.score_rows.resize(scored.rows.size());
  std::iota(scored.score_rows.begin(), scored.score_rows.end(), 0);
}

}  // namespace laurel::model
