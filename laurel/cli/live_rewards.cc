#include "laurel/cli/live_rewards.h"

#include <fmt/format.h>

#include <chrono>

#include "laurel/base/file.h"
#include "laurel/base/version.h"
#include "laurel/bench/result_files.h"
#include "laurel/bench/score_examples.h"
#include "laurel/bench/summarize.h"
#include "laurel/packing/forest.h"
#include "laurel/report/report.h"
#include "laurel/scoring/encode.h"

namespace laurel::cli {

std::vector<Result<scoring::Reward>> LiveRewards::score(
    std::span<const scoring::Conversation> batch) {
  const auto start = std::chrono::steady_clock::now();
  std::vector<Result<scoring::Reward>> results;
  std::vector<chat::Encoded> items;  // those that can be scored
  std::vector<std::size_t> places;
  for (const scoring::Conversation& conversation : batch) {
    Result<chat::Encoded> encoded =
        scoring::encode(encoder_, model_.config().vocab_size, conversation);
    if (!encoded.ok()) {
      results.push_back(Failure{encoded.message()});
      continue;
    }
    const chat::Encoded& item = encoded.value();
    places.push_back(results.size());
    results.push_back(
        scoring::Reward{0, static_cast<std::int64_t>(item.ids.size()), item.num_dropped});
    items.push_back(std::move(encoded.value()));
  }
  std::vector<packing::Sequence> sequences;
  for (const chat::Encoded& item : items) sequences.push_back(scoring::sequence_of(item));
  const auto packs = packing::plan_packs(sequences, {.max_tokens = batch_tokens_});
  for (const packing::Pack& pack : packs) {
    const std::vector<float> rewards = model_.evaluate(pack, pool_);
    for (std::size_t i = 0; i < rewards.size(); ++i) {
      const auto sequence = static_cast<std::size_t>(pack.score_points[i].sequence);
      results[places[sequence]].value().value = rewards[i];
    }
  }
  const packing::PlanStatistics counts = packing::statistics(sequences, packs);
  facts_.num_conversations += static_cast<std::int64_t>(sequences.size());
  facts_.sequence_tokens += counts.sequence_tokens;
  facts_.physical_tokens += counts.physical_tokens;
  facts_.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return results;
}

Result<std::string> LiveRewards::render(const scoring::Conversation& conversation) {
  return encoder_.render_conversation(conversation);
}

LiveBenchmark::LiveBenchmark(const std::string& name, std::vector<std::string> files)
    : benchmark_(bench::benchmark_from_string(name)),
      files_(std::move(files)),
      examples_(bench::read_examples(benchmark_, files_)) {}

schema::RunEvaluation LiveBenchmark::run(LiveRewards& rewards, const chat::Encoder& encoder,
                                         const schema::ModelInfo& model, std::int64_t step,
                                         const std::filesystem::path& folder) const {
  const std::string name(bench::to_string(benchmark_));
  schema::BenchmarkResult result =
      bench::summarize(benchmark_, examples_, bench::score_examples(examples_, rewards));
  result.model = model;
  result.rule = schema::to_json(encoder.rule());
  result.rule_text = schema::describe(encoder.rule());
  result.run = rewards.facts();
  std::filesystem::create_directories(folder);
  bench::ResultDirectory directory(folder / fmt::format("step-{:08}-{}", step, name), true);
  bench::RunManifest manifest;
  manifest.laurel_version = version();
  manifest.data_files = files_;
  const auto render = [&](const bench::Example& example, std::size_t index) {
    return rewards.render(example.conversations[index]).value_or_throw();
  };
  bench::write_result_files(directory.staging(), result, examples_, render, manifest);
  write_file(directory.staging() / "report.html", report::html_report(result));
  directory.commit();

  schema::RunEvaluation evaluation;
  evaluation.step = step;
  evaluation.benchmark = name;
  evaluation.overall = result.overall.score;
  for (const schema::Figure& figure : result.groups.at(0).figures) {
    evaluation.subsets.emplace_back(figure.name, figure.score);
  }
  return evaluation;
}

}  // namespace laurel::cli
