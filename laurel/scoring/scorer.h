// Rewards of conversations: the library's front door.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "laurel/base/result.h"
#include "laurel/schema/conversation.h"
#include "laurel/schema/scoring_rule.h"

namespace laurel::scoring {

struct ScorerOptions {
  std::string model;    // a directory, or org/name[@revision] in the Hugging Face cache
  std::string adapter;  // PEFT LoRA directory merged at load; empty for none
  std::string rule = "transformers";  // or "reward-bench"
  std::int64_t max_length = 0;        // 0: the rule's default
  std::string truncation;             // "error", "left", "right"; empty: the rule's default
  std::string dtype;          // "f32", "bf16", "int8"; empty: int8 for an int8 pack, else f32
  std::string template_file;  // overrides the checkpoint's chat template
  std::string template_date;  // "YYYY-MM-DD", for templates that print today's date
  int num_threads = 0;        // 0: all usable cores
  std::int64_t batch_tokens =
      4096;                    // rows per forward pass; speed and memory only, never the reward
  bool share_prefixes = true;  // speed only, never the reward
  // Whether weights are read layer by layer while computing; nullopt: if they do not fit into
  // memory. Speed and memory only, never the reward.
  std::optional<bool> stream_weights;
};

using schema::Conversation;

struct Reward {
  float value = 0;
  std::int64_t num_tokens = 0;   // tokens the model was given
  std::int64_t num_dropped = 0;  // tokens cut by truncation
};

struct ScoreStatistics {
  std::int64_t num_conversations = 0;
  std::int64_t sequence_tokens = 0;  // before sharing
  std::int64_t physical_tokens = 0;  // computed
  double seconds = 0;
};

// How the weights are held, and what streaming them took so far.
struct WeightStreaming {
  bool on = false;
  std::int64_t weight_bytes = 0;                // of the whole model
  std::optional<std::int64_t> available_bytes;  // of memory when it was loaded, if known
  std::int64_t read_bytes = 0;
  std::int64_t cached_bytes = 0;  // of these, from the system's page cache
  double read_seconds = 0;        // of the thread that reads
  double wait_seconds = 0;        // of the computation, for it
};

// Facts of the loaded model, for reports.
struct ModelFacts {
  std::string name;
  std::string architecture;
  std::string revision;  // commit or empty
  std::string hash;      // fingerprint of config, weights and adapter; see model/fingerprint.h
  std::string tokenizer_hash;
  std::int64_t num_parameters = 0;
  std::string dtype;  // of the stored weights
  std::string isa;    // instruction set in use
  int num_threads = 0;
};

// A loaded reward model. score() is safe to call from several threads (calls are serialized
// inside).
class Scorer {
 public:
  // Throws UserError or IoError if the model cannot be loaded.
  explicit Scorer(const ScorerOptions& options);
  ~Scorer();
  Scorer(Scorer&&) noexcept;
  Scorer& operator=(Scorer&&) noexcept;

  // Rewards in input order. An item that cannot be encoded (too long, refused by the template, …)
  // is a failure of its own. The reward of one conversation does not depend on the others.
  // on_progress is told now and then, on this thread, how much is done, from 0 to 1.
  using OnProgress = std::function<void(double share)>;
  std::vector<Result<Reward>> score(std::span<const Conversation> batch,
                                    const OnProgress& on_progress = {}) const;

  // The text that the model sees for these messages; empty for token ids.
  Result<std::string> render(const Conversation& conversation) const;

  const schema::ScoringRule& rule() const;
  // The first call reads the weights once, for the fingerprint; of very large ones, samples.
  const ModelFacts& facts() const;
  // Sums over all score() calls so far.
  ScoreStatistics statistics() const;
  WeightStreaming streaming() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace laurel::scoring
