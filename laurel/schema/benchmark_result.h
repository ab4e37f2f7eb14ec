// What an evaluation found out: made by bench, read by report. Scores are fractions 0…1.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "laurel/base/json.h"

namespace laurel::schema {

// The middle 95 % of bootstrap replicates.
struct Interval {
  double low = 0;
  double high = 0;
};

// One figure of a benchmark.
struct Figure {
  std::string name;
  double score = 0;
  std::int64_t num_examples = 0;
  std::optional<Interval> interval;
};

// Figures of one kind: subsets, sections, length buckets, …
struct FigureGroup {
  std::string key;    // in files, e.g. "subsets"
  std::string title;  // for people, e.g. "Subsets"
  std::vector<Figure> figures;
};

// A further number that is no share of right answers: a mean margin, a part of the Ties score.
struct Measure {
  std::string key;
  std::string title;
  double value = 0;
};

// share[i][j]: share of prompts whose chosen answer in style i beats the rejected one in style j.
struct StyleMatrix {
  std::vector<std::string> styles;
  std::vector<std::vector<double>> share;
};

// The rewards of one example, right answers first.
struct ScoredExample {
  std::string id;
  std::string subset;
  std::int64_t num_correct = 1;
  std::vector<double> scores;
  std::vector<std::int64_t> lengths;  // code points of each answer
  std::vector<std::int64_t>
      num_tokens;  // of each conversation; empty when the scores were read from a file
  std::int64_t num_truncated = 0;  // conversations that lost tokens
  double result = 0;               // the example's share of the score
};

// An example that went wrong, with its texts.
struct Mistake {
  std::string id;
  std::string subset;
  std::string prompt;
  std::string right_answer;
  std::string wrong_answer;
  double right_score = 0;
  double wrong_score = 0;
};

struct ModelInfo {
  std::string name;
  std::string adapter;
  std::string architecture;
  std::string revision;
  std::string hash;
  std::string tokenizer_hash;
  std::string dtype;
  std::string isa;
  std::int64_t num_parameters = 0;
  int num_threads = 0;
};

struct RunFacts {
  std::int64_t num_conversations = 0;
  std::int64_t sequence_tokens = 0;  // before prompts are shared
  std::int64_t physical_tokens = 0;  // computed
  double seconds = 0;
};

struct BenchmarkResult {
  std::string benchmark;  // "reward-bench-2", …
  ModelInfo model;
  Json rule;              // ScoringRule as JSON; null when the scores came without one
  std::string rule_text;  // the same for people
  Figure overall;
  std::string overall_note;  // how the overall figure is made
  std::vector<std::string>
      missing;  // parts that the data lack; `overall` is then the mean of those present
  std::vector<FigureGroup> groups;  // the first holds the parts that make the overall figure
  std::vector<Measure> measures;
  std::optional<StyleMatrix> matrix;
  std::optional<RunFacts> run;    // absent when the scores were read from a file
  std::int64_t num_ties = 0;      // examples whose worst right and best wrong reward are equal
  std::vector<Mistake> mistakes;  // the worst first
  std::vector<ScoredExample> examples;  // in data order
};

Json to_json(const ModelInfo& model);
Json to_json(const RunFacts& run);
// {"id","subset","num_correct","scores",…}: a line of scores.jsonl.
Json to_json(const ScoredExample& example);

// The summary that people and scripts read: "overall" (null when parts are missing), every part by
// name, counts, intervals, measures, rule, model.
Json summary_json(const BenchmarkResult& result);

}  // namespace laurel::schema
