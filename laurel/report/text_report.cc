#include <fmt/format.h>

#include <algorithm>

#include "laurel/base/progress.h"
#include "laurel/report/html.h"
#include "laurel/report/report.h"

namespace laurel::report {
namespace {

using schema::BenchmarkResult;
using schema::Figure;

std::size_t name_width(const BenchmarkResult& result) {
  std::size_t width = 8;
  for (const schema::FigureGroup& group : result.groups) {
    width = std::max(width, group.title.size());
    for (const Figure& figure : group.figures) width = std::max(width, figure.name.size());
  }
  return std::min<std::size_t>(width, 44);
}

std::string row(const Figure& figure, std::size_t width) {
  const std::string interval = figure.interval
                                   ? fmt::format("{:>5} – {:>5}", percent(figure.interval->low),
                                                 percent(figure.interval->high))
                                   : "";
  return fmt::format("  {:<{}}  {:>6}  {:>6}  {}\n", figure.name, width, figure.num_examples,
                     percent(figure.score), interval);
}

std::string run_lines(const schema::RunFacts& run) {
  const double rate = run.seconds > 0 ? static_cast<double>(run.sequence_tokens) / run.seconds : 0;
  const std::int64_t saved = run.sequence_tokens - run.physical_tokens;
  const double share = run.sequence_tokens > 0
                           ? static_cast<double>(saved) / static_cast<double>(run.sequence_tokens)
                           : 0;
  return fmt::format(
      "  {} conversations, {} tokens in {} ({} tokens/s); {} tokens ({} %) saved by sharing\n",
      format_count(run.num_conversations), format_count(run.sequence_tokens),
      format_duration(run.seconds), format_count(static_cast<std::int64_t>(rate)),
      format_count(saved), percent(share));
}

}  // namespace

std::string text_report(const BenchmarkResult& result) {
  const std::size_t width = name_width(result);
  std::string text = result.benchmark;
  if (!result.model.name.empty()) text += " · " + result.model.name;
  text += "\n";
  for (const schema::FigureGroup& group : result.groups) {
    if (group.key == "all") continue;  // the overall row says the same
    text += fmt::format("\n  {:<{}}  {:>6}  {:>6}  {}\n", group.title, width, "n", "score",
                        "95 % interval");
    for (const Figure& figure : group.figures) text += row(figure, width);
    if (&group == &result.groups.front()) {
      Figure overall = result.overall;
      if (!result.missing.empty()) overall.name = "Mean";
      text += row(overall, width);
    }
  }
  if (!result.groups.empty() && result.groups.front().key == "all")
    text += "\n" + row(result.overall, width);
  if (!result.missing.empty()) {
    text +=
        fmt::format("  no overall score: the data have no {}\n", fmt::join(result.missing, ", "));
  }
  if (!result.measures.empty()) text += "\n";
  for (const schema::Measure& measure : result.measures) {
    text += fmt::format("  {:<44}  {}\n", measure.title, number(measure.value));
  }
  if (result.num_ties > 0) {
    text += fmt::format("  {} of {} examples have equal right and wrong rewards\n", result.num_ties,
                        result.examples.size());
  }
  if (result.run) text += "\n" + run_lines(*result.run);
  if (!result.rule_text.empty()) text += fmt::format("  {}\n", result.rule_text);
  return text;
}

}  // namespace laurel::report
