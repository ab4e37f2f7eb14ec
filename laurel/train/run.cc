#include "laurel/train/run.h"

#include <chrono>
#include <cmath>
#include <memory>

#include "laurel/base/error.h"
#include "laurel/train/checkpoint.h"
#include "laurel/train/frozen_cache.h"
#include "laurel/train/nonfinite.h"
#include "laurel/train/objective.h"
#include "laurel/train/step_log.h"
#include "laurel/train/stop_signal.h"

namespace laurel::train {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void check_at_least(double least, const char* name, double value) {
  if (!(value >= least)) {
    throw UserError("option {}: out of range, expected {} or more, got {}", name, least, value);
  }
}

RunLength checked_length(const RunOptions& options, const data::TrainingSet& set) {
  const auto num_examples = static_cast<std::int64_t>(set.examples.size());
  check_run_options(options, num_examples);
  return run_length(options, num_examples);
}

schema::StepMetrics metrics_of(const ObjectiveSums& sums) {
  schema::StepMetrics metrics;
  metrics.loss = sums.mean(sums.loss);
  metrics.accuracy = sums.mean(sums.accuracy);
  metrics.chosen_reward = sums.mean(sums.chosen_reward);
  metrics.rejected_reward = sums.mean(sums.rejected_reward);
  metrics.margin = sums.mean(sums.margin());
  metrics.reward_mean = sums.reward_mean();
  metrics.reward_std = sums.reward_std();
  metrics.num_tokens = sums.num_tokens;
  metrics.computed_tokens = sums.computed_tokens;
  metrics.padded_tokens = sums.padded_tokens;
  return metrics;
}

class Run {
 public:
  Run(const RunOptions& options, RunParts parts, const RunDirectory& directory, ThreadPool& pool)
      : options_(options),
        parts_(std::move(parts)),
        directory_(directory),
        pool_(pool),
        length_(checked_length(options, parts_.training)),
        num_steps_(num_steps(length_)),
        schedule_(options.schedule, length_),
        sampler_(options.sampler, length_),
        optimizer_(parts_.model.parameters(), options.optimizer) {
    cut_ = {options.accumulation_steps, options.batch_tokens,
            parts_.model.options().freeze_layers > 0};
  }

  RunOutcome run() {
    resume();
    try {
      return train();
    } catch (const std::exception& error) {
      note_failure(error.what());
      throw;
    }
  }

 private:
  void resume() {
    const std::vector<std::int64_t> steps = checkpoint_steps(directory_.checkpoints());
    state_.identity = parts_.identity;
    if (!steps.empty()) {
      check_same_run(directory_, parts_.identity);
      state_ = read_checkpoint(directory_.checkpoints(), steps.back(), parts_.model.parameters(),
                               optimizer_);
      const Json evaluations = {{"evaluations", state_.evaluations}};
      parts_.record.evaluations =
          schema::run_record_from_json(evaluations, directory_.path().string()).evaluations;
    }
    cut_metrics(directory_.metrics(), state_.step);
  }

  RunOutcome train() {
    write_record(schema::RunStatus::kRunning);
    open_cache();
    const StopSignal stop;
    StepLog log(directory_.path(),
                {num_steps_, state_.step + 1, options_.batch_size, options_.logging_steps});
    last_saved_ = Clock::now();
    if (options_.eval_on_start && state_.step == 0) {
      evaluate_held_out();
      evaluate_benchmarks(log);
      write_record(schema::RunStatus::kRunning);
    }
    while (state_.step < num_steps_ && stop.received() == 0) {
      take_step(log);
      const bool improved = evaluate_if_due(log);
      save_if_due(log, improved, stop.received() != 0);
    }
    log.clear_line();
    if (state_.step < num_steps_) {
      save(log);
      write_record(schema::RunStatus::kStopped);
    } else {
      parts_.export_model(directory_.path(), false);
      write_record(schema::RunStatus::kFinished);
    }
    return {parts_.record, stop.received(), state_.num_skipped};
  }

  void open_cache() {
    const bool is_reused = num_steps_ > sampler_.steps_per_epoch();
    if (!cut_.examples_alone || !(is_reused || !options_.cache_directory.empty())) return;
    FrozenCacheOptions cache;
    cache.directory =
        options_.cache_directory.empty() ? directory_.path() : options_.cache_directory;
    if (!options_.cache_directory.empty()) cache.key = options_.cache_key;
    cache_ =
        std::make_unique<FrozenCache>(parts_.training, parts_.model.config().hidden_size, cache);
  }

  // Forward, backward and update; the figures are kept until evaluate_if_due() writes them.
  void take_step(StepLog& log) {
    const Clock::time_point start = Clock::now();
    const std::int64_t step = state_.step + 1;
    const std::vector<std::int64_t> examples = sampler_.examples_of(step);
    parts_.model.clear_gradients(pool_);
    const ObjectiveSums sums = add_gradients(parts_.model, parts_.training, examples, options_.loss,
                                             cut_, cache_.get(), pool_);
    const double norm = sums.nonfinite.empty()
                            ? Optimizer::gradient_norm(parts_.model.parameters(), pool_)
                            : schema::StepMetrics::kNone;
    metrics_ = metrics_of(sums);
    metrics_.grad_norm = norm;
    metrics_.learning_rate = schedule_.learning_rate(step);
    if (std::isfinite(norm)) {
      optimizer_.update(parts_.model.parameters(), metrics_.learning_rate, norm, pool_);
    } else {
      skip_or_stop(step, examples, sums, log);
    }
    state_.step = step;
    state_.num_updates = optimizer_.num_updates();
    metrics_.step = step;
    metrics_.epoch = sampler_.epochs_done(step);
    metrics_.seconds = seconds_since(start);
    metrics_.tokens_per_second = static_cast<double>(metrics_.num_tokens) / metrics_.seconds;
    state_.num_tokens += metrics_.num_tokens;
    state_.seconds += metrics_.seconds;
  }

  void skip_or_stop(std::int64_t step, std::span<const std::int64_t> examples,
                    const ObjectiveSums& sums, StepLog& log) {
    if (options_.skip_nonfinite) {
      ++state_.num_skipped;
      return;
    }
    if (saves()) save(log);  // of the step before: the weights are still those
    const std::vector<std::int64_t> culprits =
        sums.nonfinite.empty() ? find_nonfinite_gradients(parts_.model, parts_.training, examples,
                                                          options_.loss, pool_)
                               : sums.nonfinite;
    throw UserError("step {}: {} not finite in rows {}; --skip-nonfinite leaves such steps out",
                    step, sums.nonfinite.empty() ? "gradients are" : "loss is",
                    row_names(parts_.training, culprits));
  }

  bool is_due(std::int64_t every) const { return every > 0 && state_.step % every == 0; }
  bool is_last() const { return state_.step == num_steps_; }

  // The held-out pairs' figures now; none without such pairs.
  std::optional<ObjectiveSums> evaluate_held_out() {
    if (parts_.evaluation.examples.empty()) return std::nullopt;
    const ObjectiveSums sums =
        evaluate(parts_.model, parts_.evaluation, options_.loss, options_.batch_tokens, pool_);
    parts_.record.evaluations.push_back({state_.step,
                                         std::string(schema::kHeldOut),
                                         sums.mean(sums.accuracy),
                                         {},
                                         sums.mean(sums.loss)});
    return sums;
  }

  // The last benchmark's overall figure now; none without benchmarks.
  std::optional<double> evaluate_benchmarks(StepLog& log) {
    std::optional<double> overall;
    if (!parts_.run_benchmarks) return overall;
    log.clear_line();
    for (schema::RunEvaluation& evaluation : parts_.run_benchmarks(state_.step)) {
      log.write_benchmark(state_.step, evaluation.benchmark, evaluation.overall);
      overall = evaluation.overall;
      parts_.record.evaluations.push_back(std::move(evaluation));
    }
    return overall;
  }

  // Writes the step's line, with held-out figures when it is time for them. Returns whether the
  // model is the best so far: by benchmark, or else by held-out pairs.
  bool evaluate_if_due(StepLog& log) {
    const bool due = is_due(options_.eval_steps) || is_last();
    std::optional<ObjectiveSums> held_out;
    if (due) held_out = evaluate_held_out();
    parts_.record.final = log.write(metrics_, held_out ? &*held_out : nullptr);
    std::optional<double> value;
    if (due) value = evaluate_benchmarks(log);
    if (!value && held_out) value = held_out->mean(held_out->accuracy);
    if (!value || (state_.best_value && *value <= *state_.best_value)) return false;
    state_.best_value = value;
    state_.best_step = state_.step;
    return true;
  }

  bool saves() const { return options_.save_steps > 0 || options_.save_minutes > 0; }

  void save_if_due(StepLog& log, bool improved, bool stopping) {
    const bool epoch_ends = state_.step % sampler_.steps_per_epoch() == 0;
    if (options_.export_epochs && epoch_ends) export_epoch();
    const bool is_old =
        options_.save_minutes > 0 && seconds_since(last_saved_) >= 60 * options_.save_minutes;
    const bool wanted = is_due(options_.save_steps) || is_old || improved || is_last();
    if (stopping || (saves() && wanted)) save(log);
  }

  void save(StepLog& log) {
    log.sync();
    state_.evaluations = schema::to_json(parts_.record)["evaluations"];
    write_checkpoint(directory_.checkpoints(), state_, parts_.model.parameters(), optimizer_);
    prune_checkpoints(directory_.checkpoints(), options_.keep_checkpoints, state_.best_step);
    write_record(schema::RunStatus::kRunning);
    last_saved_ = Clock::now();
  }

  void export_epoch() {
    const auto folder =
        directory_.path() / fmt::format("epoch-{}", state_.step / sampler_.steps_per_epoch());
    if (!std::filesystem::exists(folder)) parts_.export_model(folder, true);
  }

  void write_record(schema::RunStatus status) {
    schema::RunRecord& record = parts_.record;
    record.status = status;
    record.steps = state_.step;
    record.epochs = sampler_.epochs_done(state_.step);
    record.seconds = state_.seconds;
    record.tokens = state_.num_tokens;
    directory_.write_record(record);
  }

  void note_failure(const char* reason) {
    parts_.record.error = reason;
    try {
      write_record(schema::RunStatus::kFailed);
    } catch (const Error&) {  // the disk may be what failed; the first reason is the one to tell
    }
  }

  const RunOptions options_;
  RunParts parts_;
  const RunDirectory& directory_;
  ThreadPool& pool_;
  const RunLength length_;
  const std::int64_t num_steps_;
  const Schedule schedule_;
  Sampler sampler_;
  Optimizer optimizer_;
  MicroBatchOptions cut_;
  std::unique_ptr<FrozenCache> cache_;
  RunState state_;
  schema::StepMetrics metrics_;
  Clock::time_point last_saved_;
};

}  // namespace

RunLength run_length(const RunOptions& options, std::int64_t num_examples) {
  return {num_examples, options.batch_size, options.num_epochs, options.max_steps};
}

void check_run_options(const RunOptions& options, std::int64_t num_examples) {
  check_loss_options(options.loss);
  check_optimizer_options(options.optimizer);
  check_at_least(0, "max-steps", static_cast<double>(options.max_steps));
  check_at_least(0, "eval-steps", static_cast<double>(options.eval_steps));
  check_at_least(0, "save-steps", static_cast<double>(options.save_steps));
  check_at_least(0, "save-minutes", options.save_minutes);
  check_at_least(1, "keep-checkpoints", static_cast<double>(options.keep_checkpoints));
  check_at_least(0, "logging-steps", static_cast<double>(options.logging_steps));
  check_at_least(1, "gradient-accumulation-steps", static_cast<double>(options.accumulation_steps));
  check_at_least(1, "batch-tokens", static_cast<double>(options.batch_tokens));
  Schedule(options.schedule, run_length(options, num_examples));
}

void check_same_run(const RunDirectory& directory, const Json& identity) {
  const std::vector<std::int64_t> steps = checkpoint_steps(directory.checkpoints());
  if (steps.empty()) return;
  check_identity(read_state(directory.checkpoints(), steps.back()).identity, identity,
                 directory.path());
}

RunOutcome run(const RunOptions& options, RunParts parts, const RunDirectory& directory,
               ThreadPool& pool) {
  return Run(options, std::move(parts), directory, pool).run();
}

}  // namespace laurel::train
