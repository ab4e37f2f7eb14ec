// What people read: escaping, charts, the HTML page, the terminal table.
#include "laurel/report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "laurel/report/charts.h"
#include "laurel/report/html.h"
#include "laurel/report/svg.h"

namespace laurel::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kEvil = "<script>alert('x')</script>&\"\x01";

schema::BenchmarkResult evil_result() {
  schema::BenchmarkResult result;
  result.benchmark = kEvil;
  result.model.name = kEvil;
  result.model.architecture = kEvil;
  result.rule_text = kEvil;
  result.overall = {kEvil, 0.5, 1, schema::Interval{0.25, 0.75}};
  result.overall_note = kEvil;
  result.missing = {kEvil};
  result.groups = {{"g", kEvil, {{kEvil, 0.5, 1, std::nullopt}}}};
  result.measures = {{"m", kEvil, 1.5}};
  result.matrix = schema::StyleMatrix{{kEvil}, {{0.5}}};
  result.mistakes = {{kEvil, kEvil, kEvil, kEvil, kEvil, 0, 1}};
  schema::ScoredExample example;
  example.id = kEvil;
  example.scores = {0, 1};
  example.lengths = {1, 1};
  result.examples = {example};
  return result;
}

schema::BenchmarkResult plain_result() {
  schema::BenchmarkResult result;
  result.benchmark = "reward-bench-2";
  result.model.name = "org/name";
  result.overall = {"Overall", 0.7219, 3, schema::Interval{0.701, 0.743}};
  result.groups = {{"subsets",
                    "Subsets",
                    {{"Math", 0.678, 2, schema::Interval{0.6, 0.75}}, {"Ties", -0.01, 1, {}}}}};
  result.rule_text = "The rule.";
  result.run = schema::RunFacts{12, 2000, 1500, 4};
  for (int i = 0; i < 3; ++i) {
    schema::ScoredExample example;
    example.scores = {0.5 * i, 1, -1};
    example.lengths = {10, 200, 3000};
    result.examples.push_back(example);
  }
  return result;
}

TEST(Html, EscapesEverythingSpecial) {
  EXPECT_EQ(escape_html("a<b>&\"'\n\té"), "a&lt;b&gt;&amp;&quot;&#39;\n\té");
  EXPECT_EQ(escape_html(std::string_view("\0\x1b\x7f", 3)), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(Html, NumbersForPeople) {
  EXPECT_EQ(percent(0.72194), "72.2");
  EXPECT_EQ(percent(-0.01), "-1.0");
  EXPECT_EQ(number(0.533839), "0.5338");
  EXPECT_EQ(number(-12.25), "-12.25");
}

TEST(HtmlReport, NoTextFromOutsideBecomesMarkup) {
  const std::string html = html_report(evil_result());
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, Not(HasSubstr("'x'")));
  EXPECT_THAT(html, Not(HasSubstr("\x01")));
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;"));
}

TEST(HtmlReport, FetchesNothing) {
  const std::string html = html_report(plain_result());
  for (const char* word : {"http:", "https:", "src=", "url(", "@import", "<link", "<script"}) {
    EXPECT_THAT(html, Not(HasSubstr(word)));
  }
}

TEST(HtmlReport, HoldsWhatTheResultHolds) {
  const std::string html = html_report(plain_result());
  for (const char* text : {"72.2", "70.1–74.3", "67.8  (60.0–75.0)", "500", "25.0 %", "The rule.",
                           "org/name", "-1.0"}) {
    EXPECT_THAT(html, HasSubstr(text));
  }
  EXPECT_THAT(html, HasSubstr("<p class=\"soft\">None.</p>"));  // no mistakes
  EXPECT_EQ(html, html_report(plain_result()));
}

TEST(HtmlReport, LongTextsAreCutBetweenCharacters) {
  schema::BenchmarkResult result = plain_result();
  schema::Mistake mistake;
  for (int i = 0; i < 5000; ++i) mistake.right_answer += "é";
  mistake.prompt = "prompt";
  result.mistakes = {mistake};
  const std::string html = html_report(result);
  EXPECT_THAT(html, HasSubstr("é…</pre>"));
  EXPECT_LT(html.size(), 40000u);
}

TEST(HtmlReport, StoredScoresHaveNoRunAndNoRule) {
  schema::BenchmarkResult result = plain_result();
  result.run.reset();
  result.rule_text.clear();
  const std::string html = html_report(result);
  EXPECT_THAT(html, HasSubstr("Not recorded: the scores were read from a file."));
  EXPECT_THAT(html, Not(HasSubstr("tokens per second")));
}

TEST(Charts, TicksAreRound) {
  EXPECT_EQ(nice_ticks(0, 1, 5), (std::vector<double>{0, 0.2, 0.2 * 2, 0.2 * 3, 0.8, 1}));
  EXPECT_EQ(nice_ticks(-3, 7, 5), (std::vector<double>{-2, 0, 2, 4, 6}));
  EXPECT_EQ(nice_ticks(2, 2, 5), (std::vector<double>{2}));
  EXPECT_LE(nice_ticks(1e30, 1.0000001e30, 7).size(), 100u);
}

TEST(Charts, EmptyAndFlatDataAreFine) {
  EXPECT_EQ(histogram({}, {}), "");
  EXPECT_EQ(scatter({}, "x", "y"), "");
  const std::vector<double> flat(3, 2.0);
  EXPECT_THAT(histogram(flat, flat), Not(HasSubstr("nan")));
  const std::vector<Point> points(3, Point{0, 2, true});
  EXPECT_THAT(scatter(points, "x", "y"), Not(HasSubstr("nan")));
}

TEST(Charts, ManyPointsAreThinned) {
  std::vector<Point> points;
  for (int i = 0; i < 20000; ++i) points.push_back({1.0 + i, 0.001 * i, i % 2 == 0});
  EXPECT_LT(scatter(points, "x", "y").size(), 300'000u);
}

TEST(Charts, BarsStayInTheChart) {
  const schema::Figure figures[] = {{"a", 1.01, 1, schema::Interval{-0.01, 1.01}},
                                    {"b", -0.01, 1, std::nullopt}};
  const std::string svg = bar_chart(figures);
  EXPECT_THAT(svg, HasSubstr("101.0  (-1.0–101.0)"));
  EXPECT_THAT(svg, HasSubstr("M190.0,"));          // the whisker begins at 0 …
  EXPECT_THAT(svg, HasSubstr("H770.0M"));          // … and ends at 100
  EXPECT_THAT(svg, HasSubstr("width=\"580.0\""));  // a full bar
}

TEST(TextReport, Table) {
  EXPECT_EQ(text_report(plain_result()),
            "reward-bench-2 · org/name\n"
            "\n"
            "  Subsets        n   score  95 % interval\n"
            "  Math           2    67.8   60.0 –  75.0\n"
            "  Ties           1    -1.0  \n"
            "  Overall        3    72.2   70.1 –  74.3\n"
            "\n"
            "  12 conversations, 2,000 tokens in 4 s (500 tokens/s); 500 tokens (25.0 %) saved by "
            "sharing\n"
            "  The rule.\n");
}

TEST(TextReport, MissingPartsAreNamed) {
  schema::BenchmarkResult result = plain_result();
  result.missing = {"Safety", "Focus"};
  const std::string text = text_report(result);
  EXPECT_THAT(text, HasSubstr("  Mean           3    72.2"));
  EXPECT_THAT(text, HasSubstr("no overall score: the data have no Safety, Focus"));
  EXPECT_THAT(text, Not(HasSubstr("Overall")));
}

}  // namespace
}  // namespace laurel::report
