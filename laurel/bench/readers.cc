#include "laurel/bench/readers.h"

#include <unordered_map>

#include "laurel/base/error.h"
#include "laurel/bench/row_fields.h"

namespace laurel::bench {
namespace {

constexpr std::string_view kNames[] = {"reward-bench-2", "preference", "rm-bench", "reward-bench"};
// Every key that a benchmark looks at.
const std::vector<std::string> kColumns = {
    "id",       "subset",      "prompt",        "chosen",
    "rejected", "num_correct", "num_incorrect", "total_completions"};

schema::Messages one_turn(const std::string& prompt, std::string answer) {
  return {{"user", prompt, Json::object()}, {"assistant", std::move(answer), Json::object()}};
}

void add_answers(const std::string& prompt, std::vector<std::string> answers, Example& example) {
  for (std::string& answer : answers)
    example.conversations.push_back(one_turn(prompt, std::move(answer)));
}

// "tied:N" or "ref:N", as the Ties score pairs them.
bool is_ties_id(std::string_view id) {
  for (const std::string_view kind : {"tied:", "ref:"}) {
    if (!id.starts_with(kind)) continue;
    id.remove_prefix(kind.size());
    return !id.empty() && id.size() <= 9 &&
           id.find_first_not_of("0123456789") == std::string_view::npos;
  }
  return false;
}

void check_ties_row(const Row& row, const Example& example) {
  if (!is_ties_id(example.id)) {
    throw UserError("{}: key \"id\": expected \"tied:N\" or \"ref:N\" in subset Ties, got \"{}\"",
                    row.where, example.id);
  }
  if (example.id.starts_with("tied:") && example.num_correct < 2) {
    throw UserError("{}: key \"chosen\": expected at least 2 right answers in a tied row, got 1",
                    row.where);
  }
}

Example read_row(Benchmark benchmark, const Row& row, const std::string& path,
                 std::int64_t number) {
  switch (benchmark) {
    case Benchmark::kRewardBench2:
      return reward_bench_2_example(row);
    case Benchmark::kPreference:
      return preference_example(row, number);
    case Benchmark::kRmBench:
      return rm_bench_example(row, path);
    case Benchmark::kRewardBench:
      return reward_bench_example(row);
  }
  throw InternalError("benchmark: unknown kind");
}

}  // namespace

std::string_view to_string(Benchmark benchmark) {
  return kNames[static_cast<std::size_t>(benchmark)];
}

Benchmark benchmark_from_string(std::string_view name) {
  for (const Benchmark benchmark : {Benchmark::kRewardBench2, Benchmark::kPreference,
                                    Benchmark::kRmBench, Benchmark::kRewardBench}) {
    if (name == to_string(benchmark)) return benchmark;
  }
  throw UserError(
      "benchmark: unknown name, expected reward-bench-2, preference, rm-bench or reward-bench, got "
      "\"{}\"",
      name);
}

const std::vector<std::string>& reward_bench_2_subsets() {
  static const std::vector<std::string> kSubsets = {"Factuality", "Precise IF", "Math",
                                                    "Safety",     "Focus",      "Ties"};
  return kSubsets;
}

Example reward_bench_2_example(const Row& row) {
  Example example;
  example.id = required_id(row);
  example.subset = required_string(row, "subset");
  bool known = false;
  for (const std::string& name : reward_bench_2_subsets()) known |= name == example.subset;
  if (!known) {
    throw UserError(
        "{}: key \"subset\": expected Factuality, Precise IF, Math, Safety, Focus or Ties, got "
        "\"{}\"",
        row.where, example.subset);
  }
  const std::string prompt = required_string(row, "prompt");
  std::vector<std::string> chosen = required_strings(row, "chosen");
  std::vector<std::string> rejected = required_strings(row, "rejected");
  check_count(row, "num_correct", chosen.size());
  check_count(row, "num_incorrect", rejected.size());
  check_count(row, "total_completions", chosen.size() + rejected.size());
  example.num_correct = static_cast<std::int64_t>(chosen.size());
  if (example.subset == "Ties") {
    check_ties_row(row, example);
  } else if (chosen.size() != 1) {
    throw UserError("{}: key \"chosen\": expected 1 right answer outside subset Ties, got {}",
                    row.where, chosen.size());
  }
  add_answers(prompt, std::move(chosen), example);
  add_answers(prompt, std::move(rejected), example);
  return example;
}

Example reward_bench_example(const Row& row) {
  Example example;
  example.subset = required_string(row, "subset");
  // Ids are unique only within a subset.
  example.id = example.subset + ":" + required_id(row);
  const std::string prompt = required_string(row, "prompt");
  add_answers(prompt, {required_string(row, "chosen"), required_string(row, "rejected")}, example);
  return example;
}

Example rm_bench_example(const Row& row, const std::string& path) {
  std::string part = path.substr(path.find_last_of('/') + 1);
  part = part.substr(0, part.find_first_of("_."));
  Example example;
  for (const std::string_view domain : {"chat", "code", "math", "safety"}) {
    if (part.starts_with(domain)) example.subset = domain;
  }
  if (example.subset.empty()) {
    throw UserError(
        "{}: the file's name tells no domain, expected it to begin with chat, code, math or "
        "safety, got \"{}\"",
        path, part);
  }
  example.id = part + ":" + required_id(row);
  const std::string prompt = required_string(row, "prompt");
  for (const std::string_view key : {"chosen", "rejected"}) {
    std::vector<std::string> answers = required_strings(row, key);
    if (answers.size() != 3) {
      throw UserError("{}: key \"{}\": expected 3 answers (concise, detailed, markdown), got {}",
                      row.where, key, answers.size());
    }
    add_answers(prompt, std::move(answers), example);
  }
  example.num_correct = 3;
  return example;
}

std::vector<Example> read_examples(Benchmark benchmark, const std::vector<std::string>& paths) {
  std::vector<Example> examples;
  std::unordered_map<std::string, std::string> first_seen;
  for (const std::string& path : paths) {
    const std::unique_ptr<formats::RowSource> rows = formats::open_rows(path, kColumns);
    Row row;
    while (rows->next(row)) {
      examples.push_back(
          read_row(benchmark, row, path, static_cast<std::int64_t>(examples.size()) + 1));
      const auto [place, is_new] = first_seen.emplace(examples.back().id, row.where);
      if (!is_new) {
        throw UserError("{}: id \"{}\" occurs twice, first at {}", row.where, place->first,
                        place->second);
      }
    }
  }
  return examples;
}

}  // namespace laurel::bench
