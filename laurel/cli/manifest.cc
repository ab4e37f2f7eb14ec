#include "laurel/cli/manifest.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <cmath>
#include <cstdio>

#include "laurel/base/progress.h"
#include "laurel/base/version.h"
#include "laurel/cli/app.h"

namespace laurel::cli {
namespace {

double per_second(std::int64_t count, double seconds) {
  return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

double percent(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0;
}

}  // namespace

std::int64_t peak_memory_bytes() {
  struct rusage usage;
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
}

Json run_manifest(const CLI::App& command, const scoring::Scorer& scorer) {
  const scoring::ScoreStatistics counts = scorer.statistics();
  const scoring::ModelFacts& facts = scorer.facts();
  Json json;
  json["laurel"] = version();
  json["command"] = command.get_name();
  json["options"] = option_values(command);
  json["model"] = {{"name", facts.name},
                   {"architecture", facts.architecture},
                   {"revision", facts.revision.empty() ? Json() : Json(facts.revision)},
                   {"hash", facts.hash},
                   {"tokenizer_hash", facts.tokenizer_hash},
                   {"num_parameters", facts.num_parameters},
                   {"dtype", facts.dtype}};
  json["rule"] = to_json(scorer.rule());
  json["machine"] = {{"isa", facts.isa}, {"num_threads", facts.num_threads}};
  json["counts"] = {{"conversations", counts.num_conversations},
                    {"sequence_tokens", counts.sequence_tokens},
                    {"physical_tokens", counts.physical_tokens}};
  json["seconds"] = counts.seconds;
  json["tokens_per_second"] = per_second(counts.sequence_tokens, counts.seconds);
  json["peak_memory_bytes"] = peak_memory_bytes();
  if (const scoring::WeightStreaming streaming = scorer.streaming(); streaming.on) {
    json["streaming"] = {{"read_bytes", streaming.read_bytes},
                         {"cached_bytes", streaming.cached_bytes},
                         {"read_seconds", streaming.read_seconds},
                         {"wait_seconds", streaming.wait_seconds}};
  }
  return json;
}

void print_streaming(const scoring::Scorer& scorer, const scoring::ScorerOptions& options) {
  const scoring::WeightStreaming streaming = scorer.streaming();
  if (!streaming.on || options.stream_weights.has_value()) return;
  const std::int64_t available = streaming.available_bytes.value_or(0);
  fmt::print(stderr,
             "the weights ({}){} do not fit into {} of memory: streaming them layer by layer\n",
             format_bytes(static_cast<std::uint64_t>(streaming.weight_bytes)),
             streaming.weight_bytes > available ? "" : " and activations",
             format_bytes(static_cast<std::uint64_t>(available)));
}

void print_statistics(const scoring::Scorer& scorer) {
  const scoring::ScoreStatistics counts = scorer.statistics();
  const std::int64_t saved = counts.sequence_tokens - counts.physical_tokens;
  fmt::print(stderr, "{}\n", describe(scorer.rule()));
  fmt::print(stderr,
             "{} conversations, {} tokens in {:.1f} s: {} tokens/s; {} tokens ({:.0f} %) saved by "
             "sharing; "
             "peak memory {}\n",
             format_count(counts.num_conversations), format_count(counts.sequence_tokens),
             counts.seconds,
             format_count(std::llround(per_second(counts.sequence_tokens, counts.seconds))),
             format_count(saved), percent(saved, counts.sequence_tokens),
             format_bytes(static_cast<std::uint64_t>(peak_memory_bytes())));
  if (const scoring::WeightStreaming streaming = scorer.streaming(); streaming.on) {
    fmt::print(stderr,
               "weights streamed: {} read at {}/s ({:.0f} % from the page cache); waited {:.1f} s "
               "for them\n",
               format_bytes(static_cast<std::uint64_t>(streaming.read_bytes)),
               format_bytes(static_cast<std::uint64_t>(
                   per_second(streaming.read_bytes, streaming.read_seconds))),
               percent(streaming.cached_bytes, streaming.read_bytes), streaming.wait_seconds);
  }
}

}  // namespace laurel::cli
