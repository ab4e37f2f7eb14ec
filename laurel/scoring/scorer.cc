#include "laurel/scoring/scorer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <mutex>
#include <optional>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/base/half.h"
#include "laurel/base/thread_pool.h"
#include "laurel/chat/encoder.h"
#include "laurel/hub/resolve.h"
#include "laurel/kernels/ops.h"
#include "laurel/model/int8_calibration.h"
#include "laurel/model/reward_model.h"
#include "laurel/packing/forest.h"
#include "laurel/scoring/encode.h"
#include "laurel/scoring/int8_plan.h"
#include "laurel/scoring/rule_options.h"
#include "laurel/tokenizer/tokenizer.h"

namespace laurel::scoring {
namespace {

using Clock = std::chrono::steady_clock;

void check_batch_tokens(std::int64_t batch_tokens) {
  if (batch_tokens < 1)
    throw UserError("option batch-tokens: expected a positive number, got {}", batch_tokens);
}

model::Streaming streaming_of(std::optional<bool> choice) {
  if (!choice) return model::Streaming::kIfNeeded;
  return *choice ? model::Streaming::kAlways : model::Streaming::kNever;
}

}  // namespace

struct Scorer::Impl {
  ScorerOptions options;
  chat::RuleOptions rule_settings;
  mutable ThreadPool pool;
  hub::ResolvedModel files;
  model::RewardModel reward_model;
  std::shared_ptr<const tokenizer::Tokenizer> tokenizer;
  chat::Encoder encoder;
  mutable std::mutex mutex;  // one score() at a time
  mutable ScoreStatistics totals;
  mutable std::once_flag facts_once;
  mutable ModelFacts model_facts;

  explicit Impl(const ScorerOptions& given)
      : options(given),
        rule_settings(rule_options(given)),
        pool(given.num_threads),
        files(hub::resolve_model(given.model)),
        reward_model(load_options(), pool),
        tokenizer(
            std::make_shared<tokenizer::Tokenizer>(tokenizer::Tokenizer::load(files.directory))),
        encoder(files.directory, tokenizer, reward_model.config().pad_token_id,
                rule_options(given, reward_model.config())) {
    check_batch_tokens(options.batch_tokens);
    if (options.dtype == "int8" && !reward_model.config().int8_pack)
      reward_model.quantize(plan_int8(reward_model, encoder, {}, {}, options.model, pool), pool);
  }

  model::LoadOptions load_options() const {
    model::LoadOptions load;
    load.directory = files.directory;
    load.adapter = hub::adapter_of(files, options.adapter);
    if (rule_settings.compute == schema::ComputeType::kBF16)
      load.precision = model::Precision::kBF16;
    load.merge_adapter = options.dtype == "int8";
    load.streaming = streaming_of(options.stream_weights);
    load.pack_rows = options.batch_tokens;
    return load;
  }

  std::vector<Result<Reward>> score(std::span<const Conversation> batch,
                                    const OnProgress& on_progress) const;
  void fill_facts() const;
};

std::vector<Result<Reward>> Scorer::Impl::score(std::span<const Conversation> batch,
                                                const OnProgress& on_progress) const {
  const std::lock_guard lock(mutex);
  const Clock::time_point start = Clock::now();
  const auto count = static_cast<std::int64_t>(batch.size());
  std::vector<Result<chat::Encoded>> encoded(batch.size(), Failure{""});
  pool.parallel_for(count, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      const auto index = static_cast<std::size_t>(i);
      encoded[index] = encode(encoder, reward_model.config().vocab_size, batch[index]);
    }
  });

  std::vector<Result<Reward>> results(batch.size(), Failure{""});
  std::vector<packing::Sequence> sequences;
  std::vector<std::size_t> owners;  // [sequences] index into batch
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    if (!encoded[i].ok()) {
      results[i] = Failure{encoded[i].message()};
      continue;
    }
    sequences.push_back(sequence_of(encoded[i].value()));
    owners.push_back(i);
  }
  const std::vector<packing::Pack> packs =
      packing::plan_packs(sequences, {options.batch_tokens, options.share_prefixes,
                                      encoder.rule().compute == schema::ComputeType::kInt8});
  const bool to_half = encoder.rule().rounding == schema::RewardRounding::kF16;
  const std::vector<std::vector<float>> rewards = reward_model.forward(packs, pool, on_progress);
  for (std::size_t p = 0; p < packs.size(); ++p) {
    for (std::size_t k = 0; k < rewards[p].size(); ++k) {
      const std::int64_t sequence = packs[p].score_points[k].sequence;
      const std::size_t owner = owners[static_cast<std::size_t>(sequence)];
      const chat::Encoded& item = encoded[owner].value();
      const float value = to_half ? f16_to_float(float_to_f16(rewards[p][k])) : rewards[p][k];
      if (!std::isfinite(value)) {
        results[owner] = Failure{fmt::format("the reward is not a finite number: {}", value)};
        continue;
      }
      results[owner] = Reward{value, static_cast<std::int64_t>(item.ids.size()), item.num_dropped};
    }
  }
  const packing::PlanStatistics plan = packing::statistics(sequences, packs);
  totals.num_conversations += count;
  totals.sequence_tokens += plan.sequence_tokens;
  totals.physical_tokens += plan.physical_tokens;
  totals.seconds += std::chrono::duration<double>(Clock::now() - start).count();
  return results;
}

void Scorer::Impl::fill_facts() const {
  model_facts.name = options.model;
  model_facts.architecture = reward_model.config().architecture;
  model_facts.revision = files.commit;
  model_facts.hash = reward_model.fingerprint(pool);
  model_facts.tokenizer_hash = tokenizer->hash();
  model_facts.num_parameters = model::num_parameters(reward_model.config());
  model_facts.dtype = reward_model.weights().dtype();
  model_facts.isa = kernels::active_isa();
  model_facts.num_threads = pool.num_threads();
}

Scorer::Scorer(const ScorerOptions& options) : impl_(std::make_unique<Impl>(options)) {}
Scorer::~Scorer() = default;
Scorer::Scorer(Scorer&&) noexcept = default;
Scorer& Scorer::operator=(Scorer&&) noexcept = default;

std::vector<Result<Reward>> Scorer::score(std::span<const Conversation> batch,
                                          const OnProgress& on_progress) const {
  return impl_->score(batch, on_progress);
}

Result<std::string> Scorer::render(const Conversation& conversation) const {
  return impl_->encoder.render_conversation(conversation);
}

const schema::ScoringRule& Scorer::rule() const { return impl_->encoder.rule(); }

const ModelFacts& Scorer::facts() const {
  std::call_once(impl_->facts_once, [this] { impl_->fill_facts(); });
  return impl_->model_facts;
}

ScoreStatistics Scorer::statistics() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->totals;
}

WeightStreaming Scorer::streaming() const {
  const model::WeightPlacement& placement = impl_->reward_model.placement();
  const model::ReadStatistics reading = impl_->reward_model.read_statistics();
  return {placement.streamed,   placement.weight_bytes, placement.available_bytes, reading.bytes,
          reading.cached_bytes, reading.read_seconds,   reading.wait_seconds};
}

}  // namespace laurel::scoring
