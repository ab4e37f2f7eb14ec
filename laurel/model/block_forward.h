// A decoder block, forward, in the steps that training may have to repeat.
#pragma once

#include <cstdint>
#include <span>

#include "laurel/base/thread_pool.h"
#include "laurel/kernels/ops.h"
#include "laurel/model/arena.h"
#include "laurel/model/config.h"
#include "laurel/model/decoder_weights.h"
#include "laurel/model/pack_layout.h"
#include "laurel/model/precision.h"

namespace laurel::model {

struct PassContext;

// How exactly an int8 layer takes its input.
enum class Int8Input {
  kFineRows,  // fine rows (pack_layout.h) with sixteen bits, the others with eight
  kAllRows,   // all rows with sixteen bits
};

// Told of every linear layer of a pass and its input, before it is computed.
class LinearObserver {
 public:
  virtual ~LinearObserver() = default;
  virtual void see(const PassContext& context, kernels::ConstMatrix x, const Linear& linear,
                   Int8Input bits) = 0;
};

// What every step of a pass over a pack works with. `scratch` is left as it was found.
struct PassContext {
  const ModelConfig& config;
  const PackLayout& layout;
  Precision precision;
  Arena& scratch;
  ThreadPool& pool;
  LinearObserver* observer = nullptr;  // or null

  kernels::AttentionShape attention_shape(std::int64_t layer) const;
  kernels::RotaryTable rotary_table() const;
};

// What a block computes on its way and its backward pass reads. Inference may give one matrix
// several roles: x, x_mid and the output.
struct BlockValues {
  kernels::Matrix x;            // [rows, hidden] the input
  kernels::Matrix k, v;         // [rows, kv heads · head_dim], k rotated
  kernels::Matrix q, attended;  // [query rows, heads · head_dim], q rotated
  kernels::Matrix log_sum_exp;  // [query rows, heads]; not computed if data is null
  kernels::Matrix x_mid;        // [query rows, hidden] x after attention
  kernels::Matrix gate, up;     // [query rows, intermediate]
};

// y = x
void copy_rows(kernels::ConstMatrix x, kernels::Matrix y, ThreadPool& pool);

// x *= factor
void scale_rows(kernels::Matrix x, float factor, ThreadPool& pool);

class BlockForward {
 public:
  // `index` is the layer's.
  BlockForward(const PassContext& context, const LayerWeights& layer, std::int64_t index,
               const QueryRows& queries)
      : context_(context), layer_(layer), index_(index), queries_(queries) {}

  // The steps in order. All of them; the last two in parts, if gate, up and product have fewer rows
  // than x_mid, which leaves in them what the last part computed:
  void run(const BlockValues& values, kernels::Matrix product, kernels::Matrix out) const;
  // x -> k, v, q
  void project(const BlockValues& values) const;
  // q, k, v -> attended, log_sum_exp
  void attend(const BlockValues& values) const;
  // x, attended -> x_mid, which may be x where queries are all rows
  void add_attention(const BlockValues& values) const;
  // x_mid -> gate, up
  void open_mlp(const BlockValues& values) const;

 private:
  // Of some of the query rows, with their fine rows.
  void open_mlp(const BlockValues& values, std::span<const std::int32_t> fine_rows) const;
  // x_mid, gate, up -> out, which may be x_mid. `product`: [query rows, intermediate], may be gate.
  void close_mlp(const BlockValues& values, std::span<const std::int32_t> fine_rows,
                 kernels::Matrix product, kernels::Matrix out) const;
  // y += x · Wᵀ for the query rows.
  void add_linear(kernels::ConstMatrix x, std::span<const std::int32_t> fine_rows,
                  const Linear& parameters, kernels::Matrix y) const;

  const PassContext& context_;
  const LayerWeights& layer_;
  std::int64_t index_;
  const QueryRows& queries_;
};

// What linear layers take, quantized once for all of them that are int8.
class LinearInput {
 public:
  // The memory of the quantized form is taken from the context's scratch, for good. Layers that ask
  // for Int8Input::kAllRows must find it here.
  LinearInput(const PassContext& context, kernels::ConstMatrix x,
              std::span<const std::int32_t> fine_rows = {}, Int8Input bits = Int8Input::kFineRows)
      : context_(context), x_(x), fine_rows_(fine_rows), bits_(bits) {}
  const kernels::ConstMatrix& values() const { return x_; }
  std::span<const std::int32_t> fine_rows() const { return fine_rows_; }

  // About the center of a layer. Valid until asked for another center.
  struct Quantized {
    kernels::Int8Matrix all;
    kernels::Int8Matrix rest_of_all;  // what that leaves; only with Int8Input::kAllRows
    kernels::Int8Matrix fine;         // of `all`, the fine rows
    kernels::Int8Matrix rest;         // what they leave
  };
  const Quantized& quantized(const void* center) const;

 private:
  void reserve() const;

  const PassContext& context_;
  kernels::ConstMatrix x_;
  std::span<const std::int32_t> fine_rows_;
  Int8Input bits_;
  mutable const void* center_ = nullptr;  // null until something is quantized
  mutable Quantized quantized_;
};

// The operations, with rounding and low-rank adapters.
void norm(const PassContext& context, kernels::ConstMatrix x,
          const kernels::VectorParameter& weight, kernels::Matrix y);
void linear(const PassContext& context, const LinearInput& x, const Linear& parameters,
            kernels::Matrix y, kernels::Accumulate accumulate = kernels::Accumulate::kNo,
            Int8Input bits = Int8Input::kFineRows);
void linear(const PassContext& context, kernels::ConstMatrix x, const Linear& parameters,
            kernels::Matrix y, kernels::Accumulate accumulate = kernels::Accumulate::kNo);
void round_values(const PassContext& context, kernels::Matrix x);

}  // namespace laurel::model
