#include <fmt/format.h>

#include <algorithm>

#include "laurel/base/progress.h"
#include "laurel/report/charts.h"
#include "laurel/report/html.h"
#include "laurel/report/report.h"

namespace laurel::report {
namespace {

using schema::BenchmarkResult;
using schema::Figure;
using schema::ScoredExample;

constexpr std::size_t kShownText = 6000;
constexpr std::size_t kShownTeaser = 110;

std::string headline(const BenchmarkResult& result) {
  const bool complete = result.missing.empty();
  std::string label = complete ? result.overall.name : "Mean of the parts present";
  if (result.overall.interval) {
    label += fmt::format(" · 95 % {}–{}", percent(result.overall.interval->low),
                         percent(result.overall.interval->high));
  }
  std::string html = card(percent(result.overall.score), label, "main");
  html += card(format_count(static_cast<std::int64_t>(result.examples.size())), "examples");
  if (result.run && result.run->seconds > 0) {
    const schema::RunFacts& run = *result.run;
    const auto tokens = static_cast<double>(run.sequence_tokens);
    html +=
        card(format_count(static_cast<std::int64_t>(tokens / run.seconds)), "tokens per second");
    if (run.sequence_tokens > 0) {
      html += card(percent(1 - static_cast<double>(run.physical_tokens) / tokens) + " %",
                   "of tokens saved by sharing");
    }
    html += card(format_duration(run.seconds), "scoring time");
  }
  return fmt::format("<div class=\"cards\">\n{}</div>\n", html);
}

std::string header(const BenchmarkResult& result) {
  std::string html =
      fmt::format("<div class=\"kicker\">{}</div>\n<h1>{}</h1>\n", escape_html(result.benchmark),
                  escape_html(result.model.name.empty() ? "stored scores" : result.model.name));
  html += headline(result);
  html += fmt::format(
      "<p class=\"soft small\">Score: {}. Intervals: middle 95 % of 2,000 bootstrap "
      "resamples.</p>\n",
      escape_html(result.overall_note));
  if (!result.missing.empty()) {
    html += fmt::format("<p class=\"note\">No overall score: the data have no {}.</p>\n",
                        escape_html(fmt::format("{}", fmt::join(result.missing, ", "))));
  }
  return html;
}

std::string figure_table(const std::vector<Figure>& figures) {
  std::string html =
      "<table><tr><th>part</th><th class=\"n\">examples</th><th class=\"n\">score</th>"
      "<th class=\"n\">95 % interval</th></tr>\n";
  for (const Figure& figure : figures) {
    const std::string interval =
        figure.interval ? percent(figure.interval->low) + " – " + percent(figure.interval->high)
                        : "–";
    html += fmt::format(
        "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td "
        "class=\"n\">{}</td></tr>\n",
        escape_html(figure.name), format_count(figure.num_examples), percent(figure.score),
        interval);
  }
  return html + "</table>\n";
}

std::string groups(const BenchmarkResult& result) {
  std::string html;
  for (const schema::FigureGroup& group : result.groups) {
    html += section(group.title, bar_chart(group.figures) +
                                     "<details><summary class=\"soft\">As a table</summary>" +
                                     figure_table(group.figures) + "</details>\n");
  }
  return html;
}

std::string measures(const BenchmarkResult& result) {
  if (result.measures.empty() && result.num_ties == 0) return "";
  std::string html = "<table>\n";
  for (const schema::Measure& measure : result.measures) {
    html += fmt::format("<tr><td>{}</td><td class=\"n\">{}</td></tr>\n", escape_html(measure.title),
                        number(measure.value));
  }
  html += fmt::format(
      "<tr><td>Examples with equal right and wrong rewards</td><td "
      "class=\"n\">{}</td></tr>\n</table>\n",
      result.num_ties);
  return section("Details", html);
}

constexpr std::string_view kLegend =
    "<div class=\"legend\"><span><i class=\"r\"></i>right answers</span><span><i "
    "class=\"w\"></i>wrong answers</span></div>\n";

std::string distributions(const BenchmarkResult& result) {
  std::vector<double> right, wrong;
  std::vector<Point> points;
  for (const ScoredExample& example : result.examples) {
    for (std::size_t i = 0; i < example.scores.size(); ++i) {
      const bool is_right = i < static_cast<std::size_t>(example.num_correct);
      (is_right ? right : wrong).push_back(example.scores[i]);
      if (i < example.lengths.size()) {
        points.push_back({static_cast<double>(example.lengths[i]), example.scores[i], is_right});
      }
    }
  }
  std::string html = section("Rewards", std::string(kLegend) + histogram(right, wrong));
  html += section("Length against reward",
                  std::string(kLegend) + scatter(points, "characters of the answer", "reward"));
  return fmt::format("<div class=\"two\">\n{}</div>\n", html);
}

std::string text_block(std::string_view title, const std::string& content, std::string_view style) {
  return fmt::format("<h3>{}</h3>\n<pre class=\"{}\">{}</pre>\n", escape_html(title), style,
                     escape_html(cut(content, kShownText)));
}

std::string mistakes(const BenchmarkResult& result) {
  if (result.mistakes.empty()) return section("Worst mistakes", "<p class=\"soft\">None.</p>\n");
  std::string html =
      "<p class=\"soft small\">A wrong answer got a higher reward than a right one; the widest gap "
      "first.</p>\n";
  for (const schema::Mistake& mistake : result.mistakes) {
    html += fmt::format(
        "<details><summary><span class=\"tag\">{}</span><span class=\"what\">{}</span><span "
        "class=\"gap\">{:+.3f}</span>"
        "</summary>\n",
        escape_html(mistake.subset.empty() ? mistake.id : mistake.subset + " · " + mistake.id),
        escape_html(cut(mistake.prompt, kShownTeaser)), mistake.right_score - mistake.wrong_score);
    html += text_block("Prompt", mistake.prompt, "");
    html += text_block("Right answer, reward " + number(mistake.right_score), mistake.right_answer,
                       "r");
    html += text_block("Wrong answer, reward " + number(mistake.wrong_score), mistake.wrong_answer,
                       "w");
    html += "</details>\n";
  }
  return section("Worst mistakes", html);
}

std::string model_and_rule(const BenchmarkResult& result) {
  const schema::ModelInfo& model = result.model;
  std::string rows;
  add_fact(rows, "Model", model.name);
  add_fact(rows, "Adapter", model.adapter);
  add_fact(rows, "Architecture", model.architecture);
  if (model.num_parameters > 0) add_fact(rows, "Parameters", format_count(model.num_parameters));
  add_fact(rows, "Stored as", model.dtype);
  add_fact(rows, "Revision", model.revision);
  add_fact(rows, "Weights (hash)", model.hash);
  add_fact(rows, "Tokenizer (hash)", model.tokenizer_hash);
  if (result.run) {
    add_fact(rows, "Computed on",
             fmt::format("{}, {} thread{}", model.isa, model.num_threads,
                         model.num_threads == 1 ? "" : "s"));
    add_fact(rows, "Conversations", format_count(result.run->num_conversations));
    add_fact(rows, "Tokens",
             format_count(result.run->sequence_tokens) + " in the conversations, " +
                 format_count(result.run->physical_tokens) + " computed");
  }
  const std::string rule = result.rule_text.empty()
                               ? "Not recorded: the scores were read from a file."
                               : result.rule_text;
  return section("Model and scoring rule",
                 fmt::format("<p>{}</p>\n<table>\n{}</table>\n", escape_html(rule), rows));
}

}  // namespace

std::string html_report(const BenchmarkResult& result) {
  std::string body = header(result) + groups(result);
  if (result.matrix)
    body +=
        section("Styles: share of prompts whose chosen answer wins", matrix_chart(*result.matrix));
  body += measures(result) + distributions(result) + mistakes(result) + model_and_rule(result);
  return html_page(result.benchmark + (result.model.name.empty() ? "" : " · " + result.model.name),
                   body);
}

}  // namespace laurel::report
