// From files to a training set: tokens, filters, samples, caches, the same for any thread count.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>
#include <set>

#include "laurel/data/build.h"
#include "laurel/data/summary.h"
#include "laurel/data/test_support.h"

namespace laurel::data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

bool same(const TrainingSet& a, const TrainingSet& b) {
  const auto equal = [](const TrainingExample& x, const TrainingExample& y) {
    return x.sequences == y.sequences && x.margin == y.margin && x.source == y.source &&
           x.row == y.row;
  };
  return a.sources == b.sources && a.summary == b.summary &&
         std::equal(a.examples.begin(), a.examples.end(), b.examples.begin(), b.examples.end(),
                    equal);
}

// Rows that differ, of lengths that differ.
std::vector<Json> many_rows(int count) {
  std::vector<Json> rows;
  for (int i = 0; i < count; ++i) {
    const std::string tail(static_cast<std::size_t>(i % 7), 'a');
    rows.push_back(pair_row("question " + std::to_string(i), "yes " + tail, "no"));
  }
  return rows;
}

TEST(Build, TokensAreTheTemplatesUpToTheLast) {
  const Checkpoint model;
  const std::string file = model.add_rows("d.jsonl", {pair_row("Q", "A", "B")});
  const TrainingSet set = build(model, mix_of({file}));
  ASSERT_EQ(set.examples.size(), 1u);
  EXPECT_THAT(decoded(model, set.examples[0]),
              ElementsAre("<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n",
                          "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\nB<|im_end|>\n"));
  EXPECT_EQ(set.examples[0].row, 1);
  EXPECT_THAT(set.sources, ElementsAre(file));
}

TEST(Build, TheFinalEosIsScoredEvenWhereItIsThePadToken) {
  const Checkpoint model("{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}");
  const std::string file = model.add_rows("d.jsonl", {pair_row("Q", "A", "B")});
  const TrainingSet set = build(model, mix_of({file}));
  EXPECT_THAT(decoded(model, set.examples[0]),
              ElementsAre("Q<|im_end|>A<|im_end|>", "Q<|im_end|>B<|im_end|>"));
}

TEST(Build, TextGetsTheEosTokenUnlessItHasIt) {
  const Checkpoint model;
  const std::string file =
      model.add_rows("d.jsonl", {{{"chosen", "Q good"}, {"rejected", "Q bad<|im_end|>"}}});
  EXPECT_THAT(decoded(model, build(model, mix_of({file})).examples[0]),
              ElementsAre("Q good<|im_end|>", "Q bad<|im_end|>"));
}

TEST(Build, ToolsAndArgumentsReachTheTemplate) {
  const Checkpoint model;
  Json row = pair_row("Q", "A", "B");
  row["tools"] = {"t"};
  row["chat_template_kwargs"] = {{"tone", "kind"}};
  const std::string file = model.add_rows("d.jsonl", {row});
  EXPECT_THAT(decoded(model, build(model, mix_of({file})).examples[0])[0],
              testing::StartsWith("[\"t\"][kind]<|im_start|>user"));
}

TEST(Build, EachFilterIsCounted) {
  const Checkpoint model;
  const std::string benchmark = model.add(
      "bench.jsonl",
      "{\"id\": \"b1\", \"prompt\": \"One two three, four FIVE six seven eight nine ten eleven "
      "twelve thirteen fourteen\"}\n{\"id\": 2, \"prompt\": \"Short one?\"}\n");
  Json differ = pair_row("Q", "A", "B");
  differ["rejected"][0]["content"] = "another";
  Json tie = {
      {"context", "Q"},
      {"completions", {{{"rank", 0}, {"completion", "A"}}, {{"rank", 0}, {"completion", "B"}}}}};
  const std::string file = model.add_rows(
      "d.jsonl",
      {pair_row("kept", "A", "B"), tie, pair_row("Q", "A", " \n"), pair_row("Q", "A", "A"),
       pair_row("so: two three four five six seven eight nine ten eleven twelve thirteen fourteen",
                "A", "B"),
       pair_row("short ONE", "A", "B"), pair_row("short one too", "A", "B"),
       pair_row("refuse me", "A", "B"), pair_row(std::string(200, 'q'), "A", "B"),
       pair_row("Q", std::string(300, 'a'), "B"), differ});
  BuildOptions options = mix_of({file});
  options.filters = {.max_length = 90, .max_prompt_length = 60, .benchmark_files = {benchmark}};
  const TrainingSet set = build(model, options);
  const Json& source = set.summary["sources"][0];
  EXPECT_EQ(source["dropped"], (Json{{"tie", 1},
                                     {"empty answer", 1},
                                     {"identical completions", 1},
                                     {"contaminated", 2},
                                     {"refused by the template", 1},
                                     {"prompt too long", 1},
                                     {"too long", 1}}));
  EXPECT_EQ(source["kept"], 3);
  EXPECT_EQ(source["rows"], 11);
  EXPECT_EQ(source["prompts_differ"], 1);
  EXPECT_EQ(source["contaminated"], (Json{fmt::format("{}:5: {}:1 (id b1)", file, benchmark),
                                          fmt::format("{}:6: {}:2 (id 2)", file, benchmark)}));
  EXPECT_EQ(source["refused"].size(), 1u);
  EXPECT_THAT(source["refused"][0], HasSubstr("d.jsonl:8: "));
  EXPECT_THAT(source["refused"][0], HasSubstr("no such conversation"));
  std::vector<std::int64_t> rows;
  for (const TrainingExample& example : set.examples) rows.push_back(example.row);
  EXPECT_THAT(rows, ElementsAre(1, 7, 11));
}

TEST(Build, AToolCallIsAnAnswer) {
  const Checkpoint model;
  Json calls = pair_row("Q", "A", "");
  calls["rejected"][1]["tool_calls"] = {{{"name", "t"}}};
  Json empty = pair_row("Q", "A", "");
  empty["rejected"][1]["tool_calls"] = nullptr;
  const std::string file = model.add_rows("d.jsonl", {calls, empty});
  const TrainingSet set = build(model, mix_of({file}));
  EXPECT_EQ(set.examples.size(), 1u);
  EXPECT_EQ(set.summary["sources"][0]["dropped"], (Json{{"empty answer", 1}}));
}

TEST(Build, LengthLimitsAreInclusive) {
  const Checkpoint model;
  const std::string file = model.add_rows("d.jsonl", {pair_row("Q", "AAAA", "B")});
  const auto length =
      static_cast<std::int64_t>(build(model, mix_of({file})).examples[0].sequences[0].size());
  const auto examples = [&](std::int64_t max_length) {
    BuildOptions options = mix_of({file});
    options.filters.max_length = max_length;
    return build(model, options).examples.size();
  };
  EXPECT_EQ(examples(length), 1u);
  EXPECT_EQ(examples(length - 1), 0u);
}

TEST(Build, ThePromptIsMeasuredWithItsGenerationPrompt) {
  const Checkpoint model;
  const std::string file = model.add_rows("d.jsonl", {pair_row("Q", "A", "B")});
  const auto prompt = static_cast<std::int64_t>(
      model.encoder()
          .tokenizer()
          .encode("<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n")
          .value()
          .size());
  const auto examples = [&](std::int64_t max_prompt_length) {
    BuildOptions options = mix_of({file});
    options.filters.max_prompt_length = max_prompt_length;
    return build(model, options).examples.size();
  };
  EXPECT_EQ(examples(prompt), 1u);
  EXPECT_EQ(examples(prompt - 1), 0u);
}

TEST(Build, BadRowsStopOrAreCounted) {
  const Checkpoint model;
  const std::string good = to_line(pair_row("Q", "A", "B")) + "\n";
  const std::string file = model.add("d.jsonl", good + "{broken\n" + good + "{\"chosen\": 1}\n");
  EXPECT_THAT(error_text<UserError>([&] { build(model, mix_of({file})); }),
              HasSubstr("d.jsonl:2: invalid JSON"));
  BuildOptions options = mix_of({file});
  options.reader.skip_bad_rows = true;
  const TrainingSet set = build(model, options);
  EXPECT_EQ(set.examples.size(), 2u);
  EXPECT_EQ(set.examples[1].row, 3);
  EXPECT_EQ(set.summary["sources"][0]["bad"], 2);
  EXPECT_THAT(set.summary["sources"][0]["bad_rows"][1], HasSubstr("d.jsonl:4: missing key"));
}

TEST(Build, TokenIdsBeyondTheVocabularyAreRefused) {
  const Checkpoint model;
  const std::string file =
      model.add_rows("d.jsonl", {{{"chosen_ids", {1, 900}}, {"rejected_ids", {1, 5}}}});
  BuildOptions options = mix_of({file});
  options.vocab_size = 901;
  EXPECT_EQ(build(model, options).examples.size(), 1u);
  options.vocab_size = 900;
  EXPECT_THAT(error_text<UserError>([&] { build(model, options); }),
              HasSubstr("d.jsonl:1: token id 900 is outside the model's vocabulary of 900"));
}

TEST(Build, AMixIsItsSourcesOneAfterTheOther) {
  const Checkpoint model;
  const std::string a = model.add_rows("a.jsonl", many_rows(10));
  const std::string b = model.add_rows("b.jsonl", many_rows(4));
  const TrainingSet set = build(model, mix_of({a + " 3", b + " 2.5"}));
  ASSERT_EQ(set.examples.size(), 13u);
  EXPECT_EQ(set.examples[2].source, 0);
  EXPECT_EQ(set.examples[3].source, 1);
  std::vector<std::int64_t> rows;
  for (const TrainingExample& example : set.examples) rows.push_back(example.row);
  // numpy's RandomState(42).choice(10, 3) and choice(4, 2), from 1
  EXPECT_THAT(rows, ElementsAre(9, 2, 6, 1, 2, 3, 4, 1, 2, 3, 4, 2, 4));
  EXPECT_EQ(set.summary["sources"][0]["rows"], 10);
  EXPECT_EQ(set.summary["sources"][0]["read"], 3);
  EXPECT_EQ(set.summary["sources"][1]["picked"], 10);
}

TEST(Build, SummaryFiguresAreThoseOfTheExamples) {
  const Checkpoint model;
  Json ranked = {{"context", "Q"},
                 {"completions",
                  {{{"rank", 0}, {"completion", "AAB"}},
                   {{"rank", 1}, {"completion", "AAC"}},
                   {{"rank", 2}, {"completion", "D"}}}}};
  Json margin = pair_row("Q", "A", "B");
  margin["margin"] = 1.5;
  const std::string file = model.add_rows("d.jsonl", {ranked, margin});
  const TrainingSet set = build(model, mix_of({file}));
  EXPECT_EQ(set.examples[1].margin, 1.5f);
  std::int64_t tokens = 0, computed = 0;
  for (const TrainingExample& example : set.examples) {
    std::set<std::vector<std::int32_t>> prefixes;  // a prefix is a token to compute
    for (const auto& ids : example.sequences) {
      tokens += std::ssize(ids);
      for (std::size_t n = 1; n <= ids.size(); ++n)
        prefixes.insert({ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(n)});
    }
    computed += std::ssize(prefixes);
  }
  const Json& summary = set.summary;
  EXPECT_EQ(summary["tokens"], tokens);
  EXPECT_EQ(summary["computed_tokens"], computed);
  EXPECT_EQ(summary["completions_per_example"], (Json{{"2", 1}, {"3", 1}}));
  EXPECT_EQ(summary["sources"][0]["margins"], 1);
  EXPECT_EQ(summary["sources"][0]["forms"],
            (Json{{"implicit prompt, messages", 1}, {"ranked completions", 1}}));
  const std::string text = summary_text(summary);
  EXPECT_THAT(text, HasSubstr("2 examples, 5 sequences"));
  EXPECT_THAT(text, HasSubstr("completions per example: 1 × 2 1 × 3"));
}

TEST(Build, AnySetOfThreadsGivesTheSame) {
  const Checkpoint model;
  const std::string file = model.add_rows("d.jsonl", many_rows(1200));
  BuildOptions options = mix_of({file + " 0.9", file + " 1.0"});
  options.filters.max_length = 60;
  const TrainingSet one = build(model, options, 1);
  EXPECT_FALSE(one.examples.empty());
  for (const int threads : {2, 3, 7}) EXPECT_TRUE(same(build(model, options, threads), one));
}

TEST(Build, CopiesAndSamplesHoldTheRowsTheyName) {
  const Checkpoint model;
  const int rows = 23;
  const std::string file = model.add_rows("d.jsonl", many_rows(rows));
  const TrainingSet all = build(model, mix_of({file}));
  rc::check("a sample's example is the whole set's of that row", [&] {
    const int amount = *rc::gen::inRange(1, 3 * rows);
    const auto seed = *rc::gen::arbitrary<std::uint32_t>();
    BuildOptions options = mix_of({fmt::format("{} {}", file, amount)});
    options.seed = seed;
    const TrainingSet some = build(model, options, 1);
    RC_ASSERT(std::ssize(some.examples) == amount);
    std::map<std::int64_t, int> counts;
    for (const TrainingExample& example : some.examples) {
      RC_ASSERT(example.sequences ==
                all.examples[static_cast<std::size_t>(example.row - 1)].sequences);
      ++counts[example.row];
    }
    for (const auto& [row, count] : counts) RC_ASSERT(count - amount / rows <= 1);
  });
}

TEST(Build, AModelWithoutTemplateTakesTextOnly) {
  const Checkpoint model("");
  const std::string text = model.add_rows("t.jsonl", {{{"chosen", "good"}, {"rejected", "bad"}}});
  EXPECT_EQ(build(model, mix_of({text})).examples.size(), 1u);
  const std::string messages = model.add_rows("m.jsonl", {pair_row("Q", "A", "B")});
  EXPECT_THAT(error_text<UserError>([&] { build(model, mix_of({messages})); }),
              HasSubstr("m.jsonl:1: the checkpoint has no chat template"));
}

class CachedBuild : public testing::Test {
 protected:
  CachedBuild() {
    file_ = model_.add_rows("d.jsonl", many_rows(40));
    options_.mix = {file_ + " 1.5"};
    options_.cache_directory = (model_.path() / "cache").string();
    first_ = build(model_, options_);
  }
  std::vector<fs::path> cached() const {
    std::vector<fs::path> files;
    for (const auto& item : fs::directory_iterator(options_.cache_directory))
      files.push_back(item.path());
    return files;
  }

  Checkpoint model_;
  std::string file_;
  BuildOptions options_;
  TrainingSet first_;
};

TEST_F(CachedBuild, GivesTheSameAsTheFirst) {
  ASSERT_EQ(cached().size(), 1u);
  const auto time = fs::last_write_time(cached()[0]);
  EXPECT_TRUE(same(build(model_, options_), first_));
  EXPECT_EQ(fs::last_write_time(cached()[0]), time);  // found, not made again
  options_.cache_directory.clear();
  EXPECT_TRUE(same(build(model_, options_), first_));
}

TEST_F(CachedBuild, EveryOptionThatMattersIsAnotherKey) {
  options_.seed = 7;
  build(model_, options_);
  options_.filters.max_length = 30;
  build(model_, options_);
  options_.mix = {file_ + " 1.25"};
  build(model_, options_);
  model_.add("chat_template.jinja", "{{ messages[-1].content }}");
  build(model_, options_);
  EXPECT_EQ(cached().size(), 5u);
  model_.add_rows("d.jsonl", many_rows(41));
  build(model_, options_);
  EXPECT_EQ(cached().size(), 6u);
}

TEST_F(CachedBuild, ADamagedFileIsMadeAgain) {
  const std::string whole = read_file(cached()[0]);
  for (std::size_t i = 0; i < whole.size(); i += 1 + whole.size() / 40) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    write_file(cached()[0], i % 2 == 0 ? damaged : whole.substr(0, i));
    ASSERT_TRUE(same(build(model_, options_), first_)) << i;
    ASSERT_EQ(read_file(cached()[0]), whole);
  }
}

}  // namespace
}  // namespace laurel::data
