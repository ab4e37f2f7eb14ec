// A decoder with a score head: packs of tokens in, rewards out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "laurel/base/thread_pool.h"
#include "laurel/model/block_forward.h"
#include "laurel/model/block_reader.h"
#include "laurel/model/config.h"
#include "laurel/model/int8_weights.h"
#include "laurel/model/weight_plan.h"
#include "laurel/packing/forest.h"

namespace laurel::model {

enum class Streaming {
  kNever,
  kAlways,
  // If the weights, and the activations of a pack, do not fit into memory. If two layers do not
  // either, loading is a UserError.
  kIfNeeded,
};

struct LoadOptions {
  std::filesystem::path directory = {};
  std::filesystem::path adapter = {};  // empty for none
  Precision precision = Precision::kF32;
  // Even into weights in blocks, which become float32 then (WeightPlan): for quantizing.
  bool merge_adapter = false;
  Streaming streaming = Streaming::kNever;
  std::int64_t pack_rows = 4096;  // of the packs that forward() will get, for kIfNeeded
  // Bytes of memory to make do with; by default what the system says is available.
  std::optional<std::int64_t> available_bytes = std::nullopt;
};

// Where the weights are.
struct WeightPlacement {
  bool streamed = false;
  std::int64_t weight_bytes = 0;                // as stored, and the copies if they were in memory
  std::optional<std::int64_t> available_bytes;  // when the model was loaded, if known
};

// Immutable after loading; forward() may run on several threads at once if each brings its own
// pool.
class RewardModel {
 public:
  // Throws UserError or IoError if the checkpoint cannot be used.
  RewardModel(const LoadOptions& options, ThreadPool& pool);
  ~RewardModel();
  RewardModel(RewardModel&&) noexcept;

  // Loads the weights again, with linear layers quantized, before any other use.
  void quantize(const Int8Plan& plan, ThreadPool& pool);

  const ModelConfig& config() const;
  const WeightPlan& weights() const;
  const WeightPlacement& placement() const;
  // Identifies the config, weights and adapter: a hash of their files, or of samples of very large
  // ones (fingerprint.h). Throws IoError.
  std::string fingerprint(ThreadPool& pool) const;

  // One reward per score point of the pack, in the order of pack.score_points. Token ids must be in
  // [0, vocab_size) (InternalError otherwise). A reward depends only on the tokens on its path, bit
  // for bit. With int8 weights, a sequence's first and last rows are finer than others, so that
  // packs must have separate ends (packing/forest.h; InternalError otherwise). Streamed
  // weights that cannot be read are an IoError, of every later call too.
  std::vector<float> forward(const packing::Pack& pack, ThreadPool& pool) const;
  // Of every pack. Streamed weights are read once for as many packs as it takes to hide the
  // reading. on_progress is told now and then how much of the work is done, from 0 to 1.
  using OnProgress = std::function<void(double share)>;
  std::vector<std::vector<float>> forward(std::span<const packing::Pack> packs, ThreadPool& pool,
                                          const OnProgress& on_progress = {}) const;

  // Runs the pack for the observer, who is told of the linear layers.
  void observe(const packing::Pack& pack, LinearObserver& observer, ThreadPool& pool) const;

  // Bytes of activations that forward() needs for a pack of this many rows.
  std::int64_t activation_bytes(std::int64_t num_rows) const;

  // What reading streamed weights took so far.
  ReadStatistics read_statistics() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace laurel::model
