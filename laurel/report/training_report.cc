#include "laurel/report/training_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "laurel/base/progress.h"
#include "laurel/report/charts.h"
#include "laurel/report/curves.h"
#include "laurel/report/html.h"
#include "laurel/report/json_table.h"

namespace laurel::report {
namespace {

using schema::RunEvaluation;
using schema::RunRecord;
using schema::RunStatus;
using schema::StepMetrics;
using Steps = std::vector<StepMetrics>;

constexpr double kChanceLoss = 0.6931471805599453;  // ln 2: both rewards equal

// Members of files from outside: whatever has another type counts as absent.
double number_of(const Json& object, const char* key) {
  const Json value = object.is_object() ? object.value(key, Json()) : Json();
  return value.is_number() ? value.get<double>() : StepMetrics::kNone;
}
Json member(const Json& object, const char* key) {
  return object.is_object() ? object.value(key, Json()) : Json();
}

std::vector<CurvePoint> points_of(const Steps& steps, double StepMetrics::*value) {
  std::vector<CurvePoint> points;
  for (const StepMetrics& step : steps) {
    points.push_back({static_cast<double>(step.step), step.*value});
  }
  return points;
}

struct HeldOut {
  std::vector<CurvePoint> accuracy, loss;
};
HeldOut held_out_points(const TrainingReportInput& input) {
  HeldOut points;
  if (!input.record) return points;
  for (const RunEvaluation& evaluation : input.record->evaluations) {
    if (evaluation.benchmark != schema::kHeldOut) continue;
    const auto step = static_cast<double>(evaluation.step);
    points.accuracy.push_back({step, evaluation.overall});
    points.loss.push_back({step, evaluation.loss.value_or(StepMetrics::kNone)});
  }
  return points;
}

// The moving mean at the last step that has the value; NaN without.
double latest(const Steps& steps, double StepMetrics::*value) {
  std::vector<double> last;
  for (auto step = steps.rbegin(); step != steps.rend() && last.size() < 20; ++step) {
    if (std::isfinite((*step).*value)) last.push_back((*step).*value);
  }
  double sum = 0;
  for (const double one : last) sum += one;
  return last.empty() ? StepMetrics::kNone : sum / static_cast<double>(last.size());
}

// --- Headline ---------------------------------------------------------------------------------

std::string status_note(const std::optional<RunRecord>& record) {
  const RunStatus status = record ? record->status : RunStatus::kRunning;
  std::string text;
  if (status == RunStatus::kRunning) text = "The run is not finished: this page shows it so far.";
  if (status == RunStatus::kStopped) text = "The run was stopped; --resume goes on with it.";
  if (status == RunStatus::kFailed) text = "The run failed: " + record->error;
  return text.empty() ? "" : fmt::format("<p class=\"note\">{}</p>\n", escape_html(text));
}

void add_card(std::string& html, double value, const std::string& shown, std::string_view label,
              std::string_view style = "") {
  if (std::isfinite(value)) html += card(shown, label, style);
}

std::string token_cards(const Steps& steps) {
  double tokens = 0, computed = 0, padded = 0, seconds = 0;
  for (const StepMetrics& step : steps) {
    tokens += static_cast<double>(step.num_tokens);
    computed += static_cast<double>(step.computed_tokens);
    padded += static_cast<double>(step.padded_tokens);
    if (std::isfinite(step.seconds)) seconds += step.seconds;
  }
  std::string html;
  if (seconds > 0) {
    html += card(format_count(std::llround(tokens / seconds)), "tokens per second");
    html += card(format_duration(seconds), "in steps");
  }
  if (computed > 0 && padded > 0) {
    html += card(percent(1 - computed / padded) + " %", "of padded tokens not computed");
  }
  return html;
}

std::string headline(const TrainingReportInput& input) {
  std::string html;
  const std::vector<CurvePoint> held_out = held_out_points(input).accuracy;
  if (!held_out.empty()) {
    html += card(percent(held_out.back().y), "accuracy on held-out pairs", "main");
  }
  const double accuracy = latest(input.steps, &StepMetrics::accuracy);
  add_card(html, accuracy, percent(accuracy), "training accuracy, last 20 steps",
           held_out.empty() ? "main" : "");
  const double loss = latest(input.steps, &StepMetrics::loss);
  add_card(html, loss, number(loss), "loss, last 20 steps");
  if (!input.steps.empty()) html += card(format_count(input.steps.back().step), "steps");
  html += token_cards(input.steps);
  return fmt::format(
             "<div class=\"kicker\">training run</div>\n<h1>{}</h1>\n<div "
             "class=\"cards\">\n{}</div>\n",
             escape_html(input.name), html) +
         status_note(input.record);
}

// --- Benchmarks before and after --------------------------------------------------------------

std::vector<Comparison> comparisons(const RunEvaluation& before, const RunEvaluation& after) {
  std::vector<Comparison> rows;
  for (const auto& [name, score] : after.subsets) {
    const auto same = [&, &subset = name](const auto& other) { return other.first == subset; };
    const auto found = std::find_if(before.subsets.begin(), before.subsets.end(), same);
    if (found != before.subsets.end()) rows.push_back({name, found->second, score});
  }
  rows.push_back({"Overall", before.overall, after.overall});
  return rows;
}

constexpr std::string_view kBeforeAfter =
    "<div class=\"legend\"><span><i class=\"o\"></i>before training</span><span><i "
    "class=\"b\"></i>after</span></div>\n";

struct FirstAndLast {
  const RunEvaluation* first;
  const RunEvaluation* last;
};
std::vector<FirstAndLast> by_benchmark(const RunRecord& record) {
  std::vector<FirstAndLast> pairs;
  for (const RunEvaluation& evaluation : record.evaluations) {
    const auto same = [&](const FirstAndLast& pair) {
      return pair.first->benchmark == evaluation.benchmark;
    };
    const auto found = std::find_if(pairs.begin(), pairs.end(), same);
    if (found == pairs.end()) {
      pairs.push_back({&evaluation, &evaluation});
    } else {
      found->last = &evaluation;
    }
  }
  return pairs;
}

std::string before_and_after(const TrainingReportInput& input) {
  std::string html;
  if (!input.record) return html;
  for (const auto& [first, last] : by_benchmark(*input.record)) {
    if (first->step == last->step || last->benchmark == schema::kHeldOut) continue;
    html += section(fmt::format("{}: step {} against step {}", last->benchmark,
                                format_count(first->step), format_count(last->step)),
                    std::string(kBeforeAfter) + comparison_chart(comparisons(*first, *last)));
  }
  return html;
}

// --- Curves -----------------------------------------------------------------------------------

std::string curve_section(const CurveChart& chart, std::string_view legend = "") {
  const std::string picture = curve_chart(chart);
  return picture.empty() ? "" : section(chart.title, std::string(legend) + picture);
}

std::string held_out_legend(const std::vector<CurvePoint>& marks) {
  return marks.empty() ? ""
                       : "<div class=\"legend\"><span><i class=\"b\"></i>training</span><span><i "
                         "class=\"m\"></i>held-out pairs</span></div>\n";
}

constexpr std::string_view kRewardLegend =
    "<div class=\"legend\"><span><i class=\"r\"></i>chosen</span><span><i "
    "class=\"w\"></i>rejected</span></div>\n";

CurveChart one_curve(const Steps& steps, std::string title, double StepMetrics::*value) {
  CurveChart chart;
  chart.title = std::move(title);
  chart.series = {{"bar", points_of(steps, value)}};
  return chart;
}

std::string curves(const TrainingReportInput& input) {
  const Steps& steps = input.steps;
  const HeldOut held_out = held_out_points(input);
  CurveChart loss = one_curve(steps, "Loss", &StepMetrics::loss);
  loss.marks = held_out.loss;
  loss.reference = kChanceLoss;
  CurveChart accuracy = one_curve(steps, "Accuracy", &StepMetrics::accuracy);
  accuracy.marks = held_out.accuracy;
  accuracy.reference = 0.5;
  accuracy.range = {0.0, 1.0};
  CurveChart rewards;
  rewards.title = "Mean rewards";
  rewards.series = {{"right", points_of(steps, &StepMetrics::chosen_reward)},
                    {"wrong", points_of(steps, &StepMetrics::rejected_reward)}};
  CurveChart margin = one_curve(steps, "Margin: chosen − rejected", &StepMetrics::margin);
  margin.reference = 0;
  CurveChart rate = one_curve(steps, "Learning rate", &StepMetrics::learning_rate);
  rate.smooth = false;

  std::string html = curve_section(loss, held_out_legend(loss.marks));
  html += curve_section(accuracy, held_out_legend(accuracy.marks));
  html += curve_section(rewards, kRewardLegend);
  html += curve_section(margin);
  html +=
      curve_section(one_curve(steps, "Standard deviation of rewards", &StepMetrics::reward_std));
  html += curve_section(one_curve(steps, "Gradient norm", &StepMetrics::grad_norm));
  html += curve_section(rate);
  html += curve_section(one_curve(steps, "Tokens per second", &StepMetrics::tokens_per_second));
  return html.empty() ? "" : fmt::format("<div class=\"two curves\">\n{}</div>\n", html);
}

// --- Facts ------------------------------------------------------------------------------------

// [{"up_to": 64, "sequences": 10}, …]: the last bin may have no bound.
std::string length_chart(const Json& bins) {
  std::vector<LabelledCount> counts;
  for (const Json& bin : bins) {
    const double bound = number_of(bin, "up_to");
    counts.push_back(
        {std::isfinite(bound) ? "≤ " + number(bound) : "more",
         std::isfinite(number_of(bin, "sequences")) ? number_of(bin, "sequences") : 0});
  }
  return count_chart(counts, "tokens of a sequence");
}

// {"sequence": {"min": 3, …}, …} with a row for each member.
Json named_rows(const Json& object) {
  Json rows = Json::array();
  for (const auto& [name, value] : object.items()) {
    if (!value.is_object()) continue;
    Json row = {{"of", spoken_key(name)}};
    row.update(value);
    rows.push_back(std::move(row));
  }
  return rows;
}

// What the filters took out, by source.
std::string drop_rows(const Json& sources) {
  std::string rows;
  for (const Json& source : sources) {
    const Json dropped = member(source, "dropped");
    for (const auto& [reason, count] : dropped.items()) {
      add_fact(rows, "Dropped: " + spoken_key(reason),
               fmt::format("{} of {}", spoken_value(count), spoken_value(member(source, "name"))));
    }
  }
  return rows;
}

std::string data_section(Json summary) {
  if (!summary.is_object()) return "";
  const Json sources = member(summary, "sources");
  std::string html = object_table(sources);
  const std::string lengths = object_table(named_rows(member(summary, "lengths")));
  const std::string histogram = length_chart(member(summary, "histogram"));
  for (const char* shown : {"sources", "lengths", "histogram"}) summary.erase(shown);
  const std::string facts = drop_rows(sources) + fact_rows(summary);
  if (!(lengths + histogram).empty()) {
    html += "<h3>Lengths in tokens</h3>\n<div class=\"two\">" + lengths + histogram + "</div>\n";
  }
  if (!facts.empty()) html += fmt::format("<h3>In all</h3>\n<table>\n{}</table>\n", facts);
  return section("Data", html);
}

std::string run_section(const RunRecord& record) {
  std::string rows;
  const schema::RunBase& base = record.base;
  add_fact(rows, "Base", base.name + (base.revision.empty() ? "" : "@" + base.revision));
  add_fact(rows, "Architecture", base.architecture);
  if (base.num_parameters > 0) add_fact(rows, "Parameters", format_count(base.num_parameters));
  add_fact(rows, "Weights (hash)", base.hash);
  add_fact(rows, "License of the base", base.license);
  for (const schema::RunSource& source : record.data) {
    add_fact(rows, "Data",
             fmt::format("{}: {} examples{}", source.name, format_count(source.num_rows),
                         source.license.empty() ? "" : ", " + source.license));
  }
  add_fact(rows, "Status", schema::to_string(record.status));
  add_fact(rows, "Epochs", number(record.epochs));
  add_fact(rows, "Tokens", format_count(record.tokens));
  add_fact(rows, "Time", format_duration(record.seconds));
  if (record.machine.num_threads > 0) {
    add_fact(rows, "Computed on",
             fmt::format("{}, {} thread{}", record.machine.isa, record.machine.num_threads,
                         record.machine.num_threads == 1 ? "" : "s"));
  }
  if (record.machine.peak_memory_bytes > 0) {
    add_fact(rows, "Peak memory",
             format_bytes(static_cast<std::uint64_t>(record.machine.peak_memory_bytes)));
  }
  add_fact(rows, "Laurel", record.laurel_version);
  return section("Run and machine", fmt::format("<table>\n{}</table>\n", rows));
}

std::string options_section(const RunRecord& record) {
  const std::string rows = fact_rows(record.options);
  return rows.empty() ? "" : section("Options", fmt::format("<table>\n{}</table>\n", rows));
}

}  // namespace

std::string training_report(const TrainingReportInput& input) {
  std::string body = headline(input) + before_and_after(input) + curves(input);
  body += data_section(input.data_summary);
  if (input.record) {
    body += fmt::format("<div class=\"two\">\n{}{}</div>\n", run_section(*input.record),
                        options_section(*input.record));
  }
  return html_page("Training run · " + input.name, body);
}

}  // namespace laurel::report
