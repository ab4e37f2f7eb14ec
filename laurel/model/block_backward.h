// A decoder block, backward: the chain rule over the steps of block_forward.h, last one first.
#pragma once

#include <cstdint>

#include "laurel/model/block_forward.h"
#include "laurel/model/decoder_gradients.h"

namespace laurel::model {

class BlockBackward {
 public:
  // `index` is the layer's. Gradients that are null are not computed.
  BlockBackward(const PassContext& context, const LayerWeights& layer,
                const LayerGradients& gradients, std::int64_t index, const QueryRows& queries)
      : context_(context), layer_(layer), gradients_(gradients), index_(index), queries_(queries) {}

  // dx: [query rows, hidden], the gradient of the block's output; overwritten. dx_in: [rows,
  // hidden] becomes that of its input; the same matrix as dx where queries are all rows; null data
  // if nothing needs it. Uses up the values: gate and up are overwritten.
  void run(const BlockValues& values, kernels::Matrix dx, kernels::Matrix dx_in) const;

 private:
  // dx: of the output -> of x_mid
  void mlp(const BlockValues& values, kernels::Matrix dx) const;
  // dx: of x_mid -> dx_in
  void attention(const BlockValues& values, kernels::Matrix dx, kernels::Matrix dx_in) const;
  struct Projected {
    kernels::Matrix dq, dk, dv;
  };
  void projections(const BlockValues& values, const Projected& d, kernels::Matrix dx,
                   kernels::Matrix dx_in) const;

  const PassContext& context_;
  const LayerWeights& layer_;
  const LayerGradients& gradients_;
  std::int64_t index_;
  const QueryRows& queries_;
};

// Backward of linear(): adds to the gradients, then dx = (with kYes: +=) dy · W and the adapter's
// part, unless dx has null data. dx may be the same matrix as x.
void linear_backward(const PassContext& context, kernels::ConstMatrix x, const Linear& parameters,
                     const LinearGradient& gradient, kernels::ConstMatrix dy, kernels::Matrix dx,
                     kernels::Accumulate accumulate = kernels::Accumulate::kNo);

// Backward of norm(), as kernels::rms_norm_backward.
void norm_backward(const PassContext& context, kernels::ConstMatrix x,
                   const kernels::VectorParameter& weight, std::span<float> gradient,
                   kernels::ConstMatrix dy, kernels::Matrix dx, kernels::Accumulate accumulate);

}  // namespace laurel::model
