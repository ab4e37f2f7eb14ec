#include "laurel/model/group_pass.h"

#include <chrono>

#include "laurel/model/forward_pass.h"

namespace laurel::model {

std::vector<std::vector<float>> GroupPass::run(std::span<const packing::Pack> packs) {
  const auto turn = weights_.begin_pass();
  members_.clear();
  streams_.rewind({});
  stream_bytes_ = 0;
  double first_layer_seconds = 0;
  do {
    add(packs[members_.size()]);
    weights_.layer(0, pool_);  // waiting for it is not computing
    const auto start = std::chrono::steady_clock::now();
    run_layer(0, members_.back());
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    first_layer_seconds += seconds.count();
  } while (members_.size() < packs.size() && !is_complete(first_layer_seconds));
  for (std::int64_t i = 1; i < config_.num_layers; ++i) {
    for (const Member& member : members_) run_layer(i, member);
  }
  std::vector<std::vector<float>> rewards;
  for (const Member& member : members_) rewards.push_back(score(member));
  return rewards;
}

void GroupPass::add(const packing::Pack& pack) {
  members_.push_back({PackLayout(config_, pack), {}, {}});
  Member& member = members_.back();
  member.x = streams_.matrix(member.layout.num_rows, config_.hidden_size);
  member.out = streams_.matrix(member.layout.scored.count(), config_.hidden_size);
  stream_bytes_ += (member.x.rows + member.out.rows) * config_.hidden_size *
                   static_cast<std::int64_t>(sizeof(float));
  const PassContext context{config_, member.layout, options_.precision, scratch_, pool_};
  ForwardPass(context, weights_).embed(member.x);
}

bool GroupPass::is_complete(double layer_seconds) const {
  return stream_bytes_ >= options_.max_bytes || weights_.keeps_up_with(layer_seconds);
}

void GroupPass::run_layer(std::int64_t index, const Member& member) {
  const PassContext context{config_,  member.layout, options_.precision,
                            scratch_, pool_,         options_.observer};
  const ForwardPass pass(context, weights_);
  if (index + 1 < config_.num_layers) {
    pass.run_layers(member.x, index, index + 1);
  } else {
    pass.run_last_layer(member.x, member.out);
  }
  if (options_.on_layer) options_.on_layer(member.layout.num_rows);
}

std::vector<float> GroupPass::score(const Member& member) {
  const PassContext context{config_, member.layout, options_.precision, scratch_, pool_};
  return ForwardPass(context, weights_).score(member.out);
}

}  // namespace laurel::model
