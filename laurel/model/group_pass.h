// Rewards of several packs in one walk over the layers.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <vector>

#include "laurel/base/thread_pool.h"
#include "laurel/model/arena.h"
#include "laurel/model/block_forward.h"
#include "laurel/model/config.h"
#include "laurel/model/pack_layout.h"
#include "laurel/model/precision.h"
#include "laurel/model/weight_source.h"
#include "laurel/packing/forest.h"

namespace laurel::model {

// A layer computes all packs of a group before the next layer is asked for. Between layers a group
// keeps the residual streams only, so that its memory is little more than one pack's.
class GroupPass {
 public:
  struct Options {
    Precision precision = Precision::kF32;
    std::int64_t max_bytes = 0;  // of residual streams; one pack may need more
    // Told the rows of a pack each time that a layer has computed them.
    std::function<void(std::int64_t rows)> on_layer = {};
    LinearObserver* observer = nullptr;  // or null
  };

  GroupPass(const ModelConfig& config, const Options& options, WeightSource& weights,
            ThreadPool& pool)
      : config_(config), options_(options), weights_(weights), pool_(pool) {}

  // Rewards of the first packs, in their order: of one, and of as many more as it takes until
  // computing a layer lasts long enough for reading the next (WeightSource::keeps_up_with), or
  // max_bytes are reached.
  std::vector<std::vector<float>> run(std::span<const packing::Pack> packs);

 private:
  struct Member {
    PackLayout layout;
    kernels::Matrix x;    // [rows, hidden] residual stream
    kernels::Matrix out;  // [scored rows, hidden], of the last layer
  };

  void add(const packing::Pack& pack);
  bool is_complete(double layer_seconds) const;
  void run_layer(std::int64_t index, const Member& member);
  std::vector<float> score(const Member& member);

  const ModelConfig& config_;
  Options options_;
  WeightSource& weights_;
  ThreadPool& pool_;
  Arena streams_;
  Arena scratch_;
  std::deque<Member> members_;
  std::int64_t stream_bytes_ = 0;
};

}  // namespace laurel::model
