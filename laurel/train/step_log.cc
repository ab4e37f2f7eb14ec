#include "laurel/train/step_log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <vector>

#include "laurel/base/progress.h"

namespace laurel::train {
namespace {

// open-instruct's names, and ours for what it does not log.
std::vector<Scalar> training_scalars(const schema::StepMetrics& metrics, std::int64_t batch_size) {
  return {{"episode", static_cast<double>(metrics.step * batch_size)},
          {"epoch", metrics.epoch},
          {"train/rm/loss", metrics.loss},
          {"train/rm/accuracy", metrics.accuracy},
          {"train/rm/chosen_rewards", metrics.chosen_reward},
          {"train/rm/rejected_rewards", metrics.rejected_reward},
          {"train/rm/reward_margin", metrics.margin},
          {"train/rm/lr", metrics.learning_rate},
          {"train/rm/grad_norm", metrics.grad_norm},
          {"train/rm/reward_mean", metrics.reward_mean},
          {"train/rm/reward_std", metrics.reward_std},
          {"train/rm/tokens", static_cast<double>(metrics.num_tokens)},
          {"train/rm/padding_avoided",
           static_cast<double>(metrics.padded_tokens - metrics.computed_tokens)},
          {"train/rm/tokens_per_second", metrics.tokens_per_second}};
}

std::vector<Scalar> evaluation_scalars(const ObjectiveSums& sums) {
  return {{"eval/rm/loss", sums.mean(sums.loss)},
          {"eval/rm/accuracy", sums.mean(sums.accuracy)},
          {"eval/rm/chosen_rewards", sums.mean(sums.chosen_reward)},
          {"eval/rm/rejected_rewards", sums.mean(sums.rejected_reward)},
          {"eval/rm/reward_margin", sums.mean(sums.margin())}};
}

void add_evaluation(const ObjectiveSums& sums, Json& line) {
  line["eval_loss"] = sums.mean(sums.loss);
  line["eval_accuracy"] = sums.mean(sums.accuracy);
  line["eval_chosen_reward"] = sums.mean(sums.chosen_reward);
  line["eval_rejected_reward"] = sums.mean(sums.rejected_reward);
  line["eval_margin"] = sums.mean(sums.margin());
}

}  // namespace

StepLog::StepLog(const std::filesystem::path& directory, const StepLogOptions& options)
    : options_(options),
      lines_(directory / "metrics.jsonl"),
      events_(directory, options.first_step),
      start_(std::chrono::steady_clock::now()),
      is_terminal_(::isatty(STDERR_FILENO) == 1) {}

StepLog::~StepLog() { clear_line(); }

Json StepLog::write(const schema::StepMetrics& metrics, const ObjectiveSums* evaluation) {
  Json line = schema::to_json(metrics);
  if (evaluation != nullptr) add_evaluation(*evaluation, line);
  lines_.append(to_line(line) + "\n");
  events_.write(metrics.step, training_scalars(metrics, options_.batch_size));
  if (evaluation != nullptr) events_.write(metrics.step, evaluation_scalars(*evaluation));
  show(metrics);
  return line;
}

void StepLog::write_benchmark(std::int64_t step, const std::string& name, double overall) {
  const std::string tag = "eval/" + name + "/overall";
  events_.write(step, std::vector<Scalar>{{tag, overall}});
}

void StepLog::clear_line() {
  if (drawn_) fmt::print(stderr, "\r\x1b[2K");
  drawn_ = false;
}

void StepLog::show(const schema::StepMetrics& metrics) {
  const std::int64_t done = metrics.step - options_.first_step + 1;
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const double left =
      seconds / static_cast<double>(done) * static_cast<double>(options_.num_steps - metrics.step);
  const std::string text = progress_text(metrics, options_.num_steps, left);
  if (is_terminal_) {
    fmt::print(stderr, "\r\x1b[2K{}", text);
    drawn_ = true;
  } else if (options_.logging_steps > 0 &&
             (metrics.step % options_.logging_steps == 0 || metrics.step == options_.num_steps)) {
    fmt::print(stderr, "{}\n", text);
  }
  std::fflush(stderr);
}

std::string progress_text(const schema::StepMetrics& metrics, std::int64_t num_steps,
                          double seconds_left) {
  std::string text = fmt::format(
      "step {}/{}: loss {:.4f}, accuracy {:.3f}, margin {:.3f}, lr {:.3g}, grad norm {:.3g}, {} "
      "tokens/s",
      format_count(metrics.step), format_count(num_steps), metrics.loss, metrics.accuracy,
      metrics.margin, metrics.learning_rate, metrics.grad_norm,
      format_count(std::llround(metrics.tokens_per_second)));
  if (metrics.step < num_steps) text += fmt::format(", {} left", format_duration(seconds_left));
  return text;
}

}  // namespace laurel::train
