// Forward passes that keep nothing: rewards, and the residual stream on the way to them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "laurel/model/block_forward.h"
#include "laurel/model/weight_source.h"

namespace laurel::model {

// Steps of the pass; residual streams are [rows, hidden] matrices of the caller's.
class ForwardPass {
 public:
  ForwardPass(const PassContext& context, WeightSource& weights)
      : context_(context), weights_(weights) {}

  // The rewards of the pack's score points, all steps.
  std::vector<float> run() const;

  void embed(kernels::Matrix x) const;
  // Layers [begin, end) on all rows, in place.
  void run_layers(kernels::Matrix x, std::int64_t begin, std::int64_t end) const;
  // The last layer: x of all rows -> out of the scored rows, [scored rows, hidden]. Only these are
  // ever read, so all but the layer's keys and values is computed for them alone.
  void run_last_layer(kernels::Matrix x, kernels::Matrix out) const;
  // Final norm and head of the scored rows' residual stream; in the order of score points.
  std::vector<float> score(kernels::ConstMatrix x) const;

 private:
  std::int64_t rows_of_mlp(std::int64_t num_rows) const;
  BlockValues scratch_values(kernels::Matrix x, const QueryRows& queries) const;

  const PassContext& context_;
  WeightSource& weights_;
};

}  // namespace laurel::model
