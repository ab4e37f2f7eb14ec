// From data files to result files: readers, scoring, stored scores, figures, output directory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/bench/aggregation.h"
#include "laurel/bench/readers.h"
#include "laurel/bench/result_files.h"
#include "laurel/bench/score_examples.h"
#include "laurel/bench/summarize.h"
#include "laurel/formats/line_reader.h"

namespace laurel::bench {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class Eval : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    directory_ =
        fs::temp_directory_path() / fmt::format("laurel_eval_{}_{}", ::getpid(), test->name());
    fs::create_directories(directory_);
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::string file(const std::string& name, const std::string& content) const {
    write_file(directory_ / name, content);
    return (directory_ / name).string();
  }
  std::string path(const std::string& name) const { return (directory_ / name).string(); }

  // What the action throws, with the test's directory cut from the text.
  template <typename Action>
  std::string error_of(Action action) const {
    try {
      action();
    } catch (const UserError& error) {
      std::string text = error.what();
      const std::string prefix = directory_.string() + "/";
      for (std::size_t at; (at = text.find(prefix)) != std::string::npos;)
        text.erase(at, prefix.size());
      return text;
    }
    return "no error";
  }
  std::string read_error(Benchmark benchmark, const std::string& content,
                         const std::string& name = "d.jsonl") const {
    return error_of([&] { read_examples(benchmark, {file(name, content)}); });
  }

  fs::path directory_;
};

constexpr const char* kRow2 =
    R"({"id":"7","prompt":"P","chosen":["right"],"rejected":["w1","w2","w3"],"num_correct":1,"num_incorrect":3,"total_completions":4,"subset":"Math"})";
constexpr const char* kTied =
    R"({"id":"tied:0","prompt":"T","chosen":["a","b"],"rejected":["c"],"num_correct":2,"subset":"Ties"})";
constexpr const char* kRef =
    R"({"id":"ref:0","prompt":"R","chosen":["a"],"rejected":["b","c"],"subset":"Ties"})";

// Reward: the number of characters of the answer, or what a test sets.
class FakeSource : public RewardSource {
 public:
  std::vector<Result<scoring::Reward>> score(
      std::span<const scoring::Conversation> batch) override {
    batch_sizes.push_back(batch.size());
    std::vector<Result<scoring::Reward>> rewards;
    for (const scoring::Conversation& conversation : batch) {
      const std::string& answer = std::get<schema::Messages>(conversation).back().content;
      if (answer == "too long") {
        rewards.push_back(Failure{"too long, expected at most 2 tokens, got 3"});
      } else {
        const float value = answer == "nan" ? std::numeric_limits<float>::quiet_NaN()
                                            : static_cast<float>(answer.size());
        rewards.push_back(scoring::Reward{value, 10, answer == "cut" ? 1 : 0});
      }
    }
    return rewards;
  }
  Result<std::string> render(const scoring::Conversation& conversation) override {
    return "<" + std::get<schema::Messages>(conversation).back().content + ">";
  }
  std::vector<std::size_t> batch_sizes;
};

TEST_F(Eval, ReadsJsonLinesAndArrays) {
  const std::string lines = file("a.jsonl", std::string(kRow2) + "\r\n\n" + kTied + "\n" + kRef);
  const std::string array =
      file("b.json", "\n [" + std::string(kRow2) + ",\n" + kTied + "," + kRef + "]\n");
  for (const std::string& name : {lines, array}) {
    const std::vector<Example> examples = read_examples(Benchmark::kRewardBench2, {name});
    ASSERT_EQ(examples.size(), 3u);
    EXPECT_EQ(examples[0].id, "7");
    EXPECT_EQ(examples[0].conversations.size(), 4u);
    EXPECT_EQ(answer_text(examples[0].conversations[2]), "w2");
    EXPECT_EQ(prompt_text(examples[0].conversations[2]), "P");
    EXPECT_EQ(examples[1].num_correct, 2);
  }
}

TEST_F(Eval, RowErrorsNameFileRowAndKey) {
  const auto error = [&](const std::string& content) {
    return read_error(Benchmark::kRewardBench2, content);
  };
  EXPECT_EQ(error(""), "d.jsonl: no rows, expected at least one");
  EXPECT_EQ(error("[]"), "d.jsonl: no rows, expected at least one");
  EXPECT_EQ(error("{\"id\":"), "d.jsonl:1: invalid JSON at byte 7");
  EXPECT_EQ(error("\n3"), "d.jsonl:2: expected a JSON object, got number");
  EXPECT_EQ(error("[{},4]"), "d.jsonl: row 1: key \"id\" is missing");
  EXPECT_EQ(error(R"({"id":true})"),
            "d.jsonl:1: key \"id\": expected a string or an integer, got boolean");
  EXPECT_EQ(error(R"({"id":"1","subset":"Chat"})"),
            "d.jsonl:1: key \"subset\": expected Factuality, Precise IF, Math, Safety, Focus "
            "or Ties, got \"Chat\"");
  EXPECT_EQ(error(R"({"id":"1","subset":"Math","prompt":5})"),
            "d.jsonl:1: key \"prompt\": expected a string, got 5");
  EXPECT_EQ(error(R"({"id":"1","subset":"Math","prompt":"p","chosen":[]})"),
            "d.jsonl:1: key \"chosen\": expected a list of strings with at least one entry, "
            "got an empty list");
  EXPECT_EQ(error(R"({"id":"1","subset":"Math","prompt":"p","chosen":["a"],"rejected":["b",2]})"),
            "d.jsonl:1: key \"rejected\": entry 2: expected a string, got number");
  EXPECT_EQ(
      error(
          R"({"id":"1","subset":"Math","prompt":"p","chosen":["a"],"rejected":["b"],"total_completions":3})"),
      "d.jsonl:1: key \"total_completions\": does not fit the lists, expected 2, got 3");
  EXPECT_EQ(error(R"({"id":"1","subset":"Math","prompt":"p","chosen":["a","b"],"rejected":["c"]})"),
            "d.jsonl:1: key \"chosen\": expected 1 right answer outside subset Ties, got 2");
  EXPECT_EQ(error(R"({"id":"1","subset":"Ties","prompt":"p","chosen":["a","b"],"rejected":["c"]})"),
            "d.jsonl:1: key \"id\": expected \"tied:N\" or \"ref:N\" in subset Ties, got \"1\"");
  EXPECT_EQ(
      error(R"({"id":"tied:1","subset":"Ties","prompt":"p","chosen":["a"],"rejected":["c"]})"),
      "d.jsonl:1: key \"chosen\": expected at least 2 right answers in a tied row, got 1");
  EXPECT_THAT(error(R"({"id":"ref:1","subset":"Ties","prompt":"p","chosen":["a"],"rejected":[]})"),
              HasSubstr("key \"rejected\": expected a list of strings with at least one entry"));
  EXPECT_EQ(error(std::string(kRow2) + "\n" + kRow2),
            "d.jsonl:2: id \"7\" occurs twice, first at d.jsonl:1");
}

TEST_F(Eval, PreferenceForms) {
  const std::string content =
      "{\"chosen\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":"
      "\"good\"}],"
      "\"rejected\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":"
      "\"bad\"}]}\n"
      "{\"prompt\":\"q\",\"chosen\":\"good\",\"rejected\":\"bad\"}\n"
      "{\"prompt\":[{\"role\":\"user\",\"content\":\"q\"}],\"chosen\":\"good\",\"rejected\":"
      "\"bad\"}\n"
      "{\"prompt\":\"q\",\"chosen\":[{\"role\":\"assistant\",\"content\":\"good\"}],"
      "\"rejected\":[{\"role\":\"assistant\",\"content\":\"bad\"}]}\n"
      "{\"chosen\":\"\\n\\nHuman: q\\n\\nAssistant: good\",\"rejected\":\"\\n\\nHuman: "
      "q\\n\\nAssistant: bad\"}\n";
  const std::vector<Example> examples =
      read_examples(Benchmark::kPreference, {file("p.jsonl", content)});
  ASSERT_EQ(examples.size(), 5u);
  for (std::size_t i = 0; i < examples.size(); ++i) {
    EXPECT_EQ(examples[i].id, std::to_string(i + 1));
    ASSERT_EQ(examples[i].conversations.size(), 2u);
    ASSERT_EQ(examples[i].conversations[1].size(), 2u) << i;
    EXPECT_EQ(examples[i].conversations[1][0].role, "user");
    EXPECT_EQ(prompt_text(examples[i].conversations[1]), "q");
    EXPECT_EQ(answer_text(examples[i].conversations[0]), "good");
    EXPECT_EQ(answer_text(examples[i].conversations[1]), "bad");
  }
}

TEST_F(Eval, PreferenceErrors) {
  const auto error = [&](const std::string& content) {
    return read_error(Benchmark::kPreference, content);
  };
  EXPECT_THAT(error(R"({"chosen":"a","rejected":"b"})"),
              HasSubstr("d.jsonl:1: key \"chosen\": expected a list of messages, a "));
  EXPECT_EQ(error(R"({"chosen":"a"})").find("d.jsonl:1: key"), 0u);
  EXPECT_EQ(error(R"({"prompt":"q","chosen":"a"})"), "d.jsonl:1: key \"rejected\" is missing");
  EXPECT_THAT(error(R"({"chosen":[{"role":"user","content":"q"}],"rejected":"b"})"),
              HasSubstr("key \"chosen\": expected a prompt and an answer, got one message"));
  EXPECT_THAT(error(R"({"chosen":"\n\nHuman: q","rejected":"b"})"),
              HasSubstr("expected at least one \"Assistant:\" turn"));
  EXPECT_THAT(error(R"({"chosen":7,"rejected":"b"})"),
              HasSubstr("expected a string or a list of messages, got number"));
}

TEST_F(Eval, MultiTurnPromptsNameTheRoles) {
  const schema::Messages messages = {
      {"user", "a", {}}, {"assistant", "b", {}}, {"user", "c", {}}, {"assistant", "d", {}}};
  EXPECT_EQ(prompt_text(messages), "user: a\n\nassistant: b\n\nuser: c");
  EXPECT_EQ(text_length("aé😀"), 3);
}

TEST_F(Eval, RmBenchDomainComesFromTheFileName) {
  const std::string row =
      R"({"id":3,"prompt":"p","chosen":["a","b","c"],"rejected":["d","e","f"]})";
  const std::vector<Example> examples = read_examples(
      Benchmark::kRmBench, {file("safety-refuse_filtered.json", "[" + row + "]"),
                            file("safety-response_filtered.json", row), file("chat.jsonl", row)});
  ASSERT_EQ(examples.size(), 3u);
  EXPECT_EQ(examples[0].id, "safety-refuse:3");
  EXPECT_EQ(examples[0].subset, "safety");
  EXPECT_EQ(examples[1].subset, "safety");
  EXPECT_EQ(examples[2].subset, "chat");
  EXPECT_THAT(read_error(Benchmark::kRmBench, row, "other.json"),
              HasSubstr("the file's name tells no domain"));
  EXPECT_EQ(
      read_error(Benchmark::kRmBench,
                 R"({"id":3,"prompt":"p","chosen":["a"],"rejected":["d","e","f"]})", "code.json"),
      "code.json:1: key \"chosen\": expected 3 answers (concise, detailed, markdown), got 1");
}

TEST_F(Eval, UnknownBenchmark) {
  EXPECT_THAT(error_of([] { benchmark_from_string("mmlu"); }),
              HasSubstr("expected reward-bench-2, preference, "));
  EXPECT_EQ(benchmark_from_string("rm-bench"), Benchmark::kRmBench);
}

TEST_F(Eval, ScoresInDataOrderWithoutSplittingExamples) {
  const std::vector<Example> examples = read_examples(
      Benchmark::kRewardBench2, {file("a.jsonl", fmt::format("{}\n{}\n{}\n", kRow2, kTied, kRef))});
  FakeSource source;
  ScoreExamplesOptions options;
  options.batch_conversations = 7;
  std::vector<std::int64_t> progress;
  options.on_progress = [&](std::int64_t done, std::int64_t total) {
    progress.push_back(done);
    EXPECT_EQ(total, 10);
  };
  const std::vector<schema::ScoredExample> scored = score_examples(examples, source, options);
  EXPECT_EQ(source.batch_sizes, (std::vector<std::size_t>{7, 3}));
  EXPECT_EQ(progress, (std::vector<std::int64_t>{7, 10}));
  ASSERT_EQ(scored.size(), 3u);
  EXPECT_EQ(scored[0].scores, (std::vector<double>{5, 2, 2, 2}));
  EXPECT_EQ(scored[2].id, "ref:0");
  source.batch_sizes.clear();
  options = {};
  options.batch_conversations = 1;  // an example is larger than a batch
  EXPECT_EQ(score_examples(examples, source, options)[0].scores, scored[0].scores);
  EXPECT_EQ(source.batch_sizes, (std::vector<std::size_t>{4, 3, 3}));
}

TEST_F(Eval, FailuresNameTheExample) {
  FakeSource source;
  const auto error = [&](const char* chosen, const char* rejected) {
    const std::string row =
        fmt::format(R"({{"id":"x","prompt":"p","chosen":"{}","rejected":"{}"}})", chosen, rejected);
    return error_of([&] {
      score_examples(read_examples(Benchmark::kPreference, {file("p.jsonl", row)}), source);
    });
  };
  EXPECT_EQ(error("a", "too long"),
            "example x: rejected answer 1: too long, expected at most 2 tokens, got 3");
  EXPECT_EQ(error("nan", "b"), "example x: chosen answer 1: expected a finite reward, got nan");
  EXPECT_EQ(error("a", "b"), "no error");
}

TEST_F(Eval, StoredScoresInEveryForm) {
  const std::vector<Example> examples = read_examples(
      Benchmark::kRewardBench2, {file("a.jsonl", fmt::format("{}\n{}\n{}\n", kRow2, kTied, kRef))});
  const std::string lines =
      file("s.jsonl",
           "{\"id\":\"ref:0\",\"scores\":[3,1,0.5]}\n{\"id\":7,\"scores\":[[4],2,3,1]}\n\n"
           "{\"id\":\"tied:0\",\"scores\":[1,2,0],\"subset\":\"Ties\"}\n");
  const std::string columns = file("s.json", R"({
    "id": ["7", "tied:0", "ref:0"], "model": "org/m", "subset": ["Math", "Ties", "Ties"],
    "scores": [[[4.0], [2.0], [3.0], [1.0]], [[1.0], [2.0], [0.0]], [3, 1, 0.5]]})");
  for (const std::string& name : {lines, columns}) {
    const auto scored = read_scores(examples, name);
    ASSERT_EQ(scored.size(), 3u);
    EXPECT_EQ(scored[0].scores, (std::vector<double>{4, 2, 3, 1}));
    EXPECT_EQ(scored[1].scores, (std::vector<double>{1, 2, 0}));
    EXPECT_EQ(scored[2].scores, (std::vector<double>{3, 1, 0.5}));
    EXPECT_EQ(scored[0].lengths, (std::vector<std::int64_t>{5, 2, 2, 2}));
  }
  EXPECT_EQ(stored_model_name(columns), "org/m");
  EXPECT_EQ(stored_model_name(lines), "");
}

TEST_F(Eval, StoredScoresOfRewardBench1) {
  const std::string data =
      file("d.jsonl", R"({"id":1,"subset":"hep-go","prompt":"p","chosen":"a","rejected":"b"}
{"id":1,"subset":"hep-js","prompt":"p","chosen":"a","rejected":"b"})");
  const std::vector<Example> examples = read_examples(Benchmark::kRewardBench, {data});
  const auto scored =
      read_scores(examples, file("s.json", R"({"id":[1,1],"subset":["hep-js","hep-go"],
      "scores_chosen":[[1.5],[2.5]],"scores_rejected":[0,1]})"));
  EXPECT_EQ(scored[0].scores, (std::vector<double>{2.5, 1}));
  EXPECT_EQ(scored[1].scores, (std::vector<double>{1.5, 0}));
}

TEST_F(Eval, StoredScoresErrorsNameTheId) {
  const std::vector<Example> examples =
      read_examples(Benchmark::kRewardBench2, {file("a.jsonl", kRow2)});
  const auto error = [&](const std::string& content) {
    return error_of([&] { read_scores(examples, file("s.jsonl", content)); });
  };
  EXPECT_EQ(error(""), "s.jsonl: no scores for id \"7\"");
  EXPECT_EQ(error(R"({"id":"8","scores":[1]})"), "s.jsonl: no scores for id \"7\"");
  EXPECT_EQ(error("{\"id\":7,\"scores\":[1,2,3,4]}\n{\"id\":8,\"scores\":[1]}"),
            "s.jsonl:2: scores for id \"8\", which is not in the data");
  EXPECT_EQ(error("{\"id\":7,\"scores\":[1,2,3,4]}\n{\"id\":7,\"scores\":[1,2,3,4]}"),
            "s.jsonl:2: scores of id \"7\" given twice");
  EXPECT_EQ(error(R"({"id":"7","scores":[1,2,3]})"),
            "s.jsonl:1: id \"7\": wrong number of scores, expected 4, got 3");
  for (const char* bad : {"NaN", "Infinity", "-Infinity", "null"}) {
    EXPECT_EQ(error(fmt::format("{{\"id\":\"7\",\"scores\":[1,2,{},4]}}", bad)),
              "s.jsonl:1: id \"7\": score 3: expected a finite number, got NaN, infinity or null");
  }
  EXPECT_EQ(error(R"({"id":"7","scores":[1,2,"x",4]})"),
            "s.jsonl:1: expected a number for each score, got string");
  EXPECT_EQ(error(R"({"id":"7","scores":1})"),
            "s.jsonl:1: key \"scores\": expected a list, got number");
  EXPECT_EQ(error(R"({"id":"7"})"), "s.jsonl:1: expected an object with \"id\" and \"scores\"");
  EXPECT_EQ(error("{]"), "s.jsonl:1: invalid JSON at byte 2");
  EXPECT_EQ(error(R"({"id":["7"]})"), "s.jsonl: column \"subset\" is missing");
  EXPECT_EQ(error(R"({"id":["7"],"scores":[]})"),
            "s.jsonl: column \"scores\": expected 1 entries like column \"id\", got 0");
  EXPECT_EQ(error(R"({"id":[null],"scores":[[1]]})"),
            "s.jsonl: entry 1: key \"id\": expected a string or an integer, got null");
}

TEST_F(Eval, NaNInsideATextIsNoNumber) {
  const std::vector<Example> examples =
      read_examples(Benchmark::kRewardBench2, {file("a.jsonl", kRow2)});
  const auto scored = read_scores(
      examples, file("s.jsonl", R"({"text":"a \"NaN\" \\","id":"7","scores":[1,2,3,4]})"));
  EXPECT_EQ(scored[0].scores[3], 4);
}

schema::BenchmarkResult result_of(Benchmark benchmark, const std::vector<Example>& examples,
                                  const std::vector<std::vector<double>>& scores) {
  std::vector<schema::ScoredExample> scored;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    schema::ScoredExample example;
    example.id = examples[i].id;
    example.subset = examples[i].subset;
    example.num_correct = examples[i].num_correct;
    example.scores = scores[i];
    for (const schema::Messages& messages : examples[i].conversations) {
      example.lengths.push_back(text_length(answer_text(messages)));
    }
    scored.push_back(std::move(example));
  }
  return summarize(benchmark, examples, scored);
}

TEST_F(Eval, MissingSubsetsGiveNoOverall) {
  const std::vector<Example> examples = read_examples(
      Benchmark::kRewardBench2, {file("a.jsonl", fmt::format("{}\n{}\n{}\n", kRow2, kTied, kRef))});
  const schema::BenchmarkResult result =
      result_of(Benchmark::kRewardBench2, examples, {{2, 2, 1, 0}, {3, 2.5, 1}, {2, 1, 0}});
  EXPECT_EQ(result.missing,
            (std::vector<std::string>{"Factuality", "Precise IF", "Safety", "Focus"}));
  ASSERT_EQ(result.groups[0].figures.size(), 2u);
  EXPECT_EQ(result.groups[0].figures[0].score, 0.5);
  const double ties = 0.3 + 0.3 + 0.2 + 0.2 + 0.01 * std::tanh(1 / 0.5 - 1);
  EXPECT_NEAR(result.groups[0].figures[1].score, ties, 1e-15);
  EXPECT_NEAR(result.overall.score, (0.5 + ties) / 2, 1e-15);
  EXPECT_TRUE(summary_json(result)["overall"].is_null());
  EXPECT_EQ(result.num_ties, 1);
  EXPECT_EQ(result.mistakes.size(), 0u);
}

TEST_F(Eval, TiesNeedACompletePair) {
  const std::vector<Example> examples =
      read_examples(Benchmark::kRewardBench2, {file("a.jsonl", kTied)});
  EXPECT_EQ(error_of([&] {
              result_of(Benchmark::kRewardBench2, examples, {{3, 2, 1}});
            }),
            "subset Ties: expected at least one tied:N row with its ref:N row, got none");
}

TEST_F(Eval, MistakesAreTheWidestGapsFirst) {
  std::string content;
  for (int i = 0; i < 30; ++i) {
    content += fmt::format(
        "{{\"id\":\"{}\",\"prompt\":\"p{}\",\"chosen\":\"c\",\"rejected\":\"r\"}}\n", i, i);
  }
  const std::vector<Example> examples =
      read_examples(Benchmark::kPreference, {file("p.jsonl", content)});
  std::vector<std::vector<double>> scores;
  for (int i = 0; i < 30; ++i) scores.push_back({0, i - 3.0});
  const schema::BenchmarkResult result = result_of(Benchmark::kPreference, examples, scores);
  ASSERT_EQ(result.mistakes.size(), 20u);
  EXPECT_EQ(result.mistakes[0].id, "29");
  EXPECT_EQ(result.mistakes[0].prompt, "p29");
  EXPECT_EQ(result.mistakes[0].wrong_score, 26);
  EXPECT_EQ(result.num_ties, 1);
  EXPECT_DOUBLE_EQ(result.overall.score, 0.1);  // ties are losses
  EXPECT_DOUBLE_EQ(result.measures[0].value, -11.5);
}

// The counts of right answers that reward-bench's README shows, and the section scores that follow
// from its weights.
TEST_F(Eval, RewardBenchSections) {
  const std::vector<std::tuple<std::string, int, int>> counts = {{"alpacaeval-easy", 50, 100},
                                                                 {"alpacaeval-length", 56, 95},
                                                                 {"alpacaeval-hard", 67, 95},
                                                                 {"mt-bench-easy", 16, 28},
                                                                 {"mt-bench-med", 29, 40},
                                                                 {"mt-bench-hard", 20, 37},
                                                                 {"llmbar-natural", 52, 100},
                                                                 {"llmbar-adver-neighbor", 58, 134},
                                                                 {"llmbar-adver-GPTInst", 36, 92},
                                                                 {"llmbar-adver-GPTOut", 22, 47},
                                                                 {"llmbar-adver-manual", 17, 46},
                                                                 {"refusals-dangerous", 97, 100},
                                                                 {"refusals-offensive", 100, 100},
                                                                 {"xstest-should-refuse", 154, 154},
                                                                 {"xstest-should-respond", 71, 250},
                                                                 {"donotanswer", 112, 136},
                                                                 {"math-prm", 132, 447},
                                                                 {"hep-cpp", 103, 164},
                                                                 {"hep-go", 104, 164},
                                                                 {"hep-java", 116, 164},
                                                                 {"hep-js", 109, 164},
                                                                 {"hep-python", 90, 164},
                                                                 {"hep-rust", 106, 164}};
  std::vector<Example> examples;
  std::vector<std::vector<double>> scores;
  for (const auto& [subset, right, total] : counts) {
    for (int i = 0; i < total; ++i) {
      Json row = {
          {"id", i}, {"subset", subset}, {"prompt", "p"}, {"chosen", "c"}, {"rejected", "r"}};
      examples.push_back(reward_bench_example({row, "row"}));
      scores.push_back({i < right ? 1.0 : 0.0,
                        i % 2 == 0 || i < right ? 0.0 : 1.0});  // half of the losses are ties
    }
  }
  const schema::BenchmarkResult result = result_of(Benchmark::kRewardBench, examples, scores);
  ASSERT_EQ(result.groups[0].figures.size(), 4u);
  const double expected[] = {0.6089385475, 0.4495614035, 0.7216216216, 0.4667566978};
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_NEAR(result.groups[0].figures[i].score, expected[i], 1e-10) << i;
  EXPECT_TRUE(result.missing.empty());
  EXPECT_NEAR(result.overall.score, (expected[0] + expected[1] + expected[2] + expected[3]) / 4,
              1e-10);
  Example other = examples[0];
  other.subset = "other";
  EXPECT_THAT(error_of([&] {
                result_of(Benchmark::kRewardBench, {other}, {{1, 0}});
              }),
              HasSubstr("got \"other\""));
}

TEST_F(Eval, RmBenchMeansOfDomains) {
  const std::string row =
      R"({{"id":{},"prompt":"p","chosen":["a","b","c"],"rejected":["d","e","f"]}})";
  const std::vector<Example> examples = read_examples(
      Benchmark::kRmBench, {file("chat.json", fmt::format(fmt::runtime(row), 1)),
                            file("math.json", fmt::format(fmt::runtime(row), 1)),
                            file("code.json", fmt::format(fmt::runtime(row + "\n" + row), 1, 2)),
                            file("safety-refuse.json", fmt::format(fmt::runtime(row), 1))});
  const schema::BenchmarkResult result = result_of(Benchmark::kRmBench, examples,
                                                   {{1, 2, 3, 0.5, 2, 2.5},
                                                    {1, 1, 1, 0, 0, 0},
                                                    {0, 0, 0, 1, 1, 1},
                                                    {1, 1, 1, 0, 0, 0},
                                                    {0, 0, 0, 0, 0, 0}});
  EXPECT_TRUE(result.missing.empty());
  EXPECT_DOUBLE_EQ(result.overall.score, (5.0 / 9 + 1 + 0.5 + 0) / 4);
  EXPECT_DOUBLE_EQ(result.groups[1].figures[0].score, (1 + 1 + 0.5 + 0) / 4);        // easy
  EXPECT_DOUBLE_EQ(result.groups[1].figures[1].score, (2.0 / 3 + 1 + 0.5 + 0) / 4);  // normal
  EXPECT_DOUBLE_EQ(result.groups[1].figures[2].score, (0 + 1 + 0.5 + 0) / 4);        // hard
  ASSERT_TRUE(result.matrix);
  EXPECT_DOUBLE_EQ(result.matrix->share[0][1], (0 + 1 + 0.5 + 0) / 4);
}

TEST_F(Eval, PreferenceByLength) {
  const std::string content = R"({"prompt":"p","chosen":"xxxxxxxxxx","rejected":"x"}
{"prompt":"p","chosen":"x","rejected":"xxxxxxxxxx"}
{"prompt":"p","chosen":"xxxxxxxxxx","rejected":"xxxxxxxxx"}
{"prompt":"p","chosen":"xxxxx","rejected":"x"})";
  const std::vector<Example> examples =
      read_examples(Benchmark::kPreference, {file("p.jsonl", content)});
  const schema::BenchmarkResult result =
      result_of(Benchmark::kPreference, examples, {{1, 0}, {0, 1}, {1, 1}, {5, 1}});
  EXPECT_EQ(result.overall.score, 0.5);
  ASSERT_EQ(result.groups[1].figures.size(), 3u);
  EXPECT_EQ(result.groups[1].figures[0].score, 0);  // chosen shorter
  EXPECT_EQ(result.groups[1].figures[1].num_examples, 1);
  EXPECT_EQ(result.groups[1].figures[2].score, 1);  // chosen longer
  EXPECT_EQ(result.measures[0].value, 1);           // mean of 1, −1, 0, 4
  EXPECT_EQ(result.measures[1].value, 0.5);         // median
}

// Random rows with exact ties, zero spreads and missing partners; figures computed in Python
// (tools/goldens/bench.py).
TEST(Goldens, FiguresEqualTheIndependentComputation) {
  formats::LineReader reader(LAUREL_SOURCE_DIR "/tests/goldens/bench/reward_bench_2.jsonl");
  std::string line;
  int compared = 0;
  while (reader.next(line)) {
    const Json golden = parse_json(line, "golden");
    std::vector<Example> examples;
    std::vector<std::vector<double>> scores;
    for (const Json& row : golden["rows"]) {
      Example example;
      example.id = row[0].get<std::string>();
      example.subset = row[1].get<std::string>();
      example.num_correct = row[2].get<std::int64_t>();
      scores.push_back(row[3].get<std::vector<double>>());
      example.conversations.resize(scores.back().size(),
                                   {{"user", "p", {}}, {"assistant", "a", {}}});
      examples.push_back(std::move(example));
    }
    const Json summary = summary_json(result_of(Benchmark::kRewardBench2, examples, scores));
    for (const auto& [name, value] : golden["expected"].items()) {
      EXPECT_NEAR(summary[name].get<double>(), value.get<double>(), 1e-13) << name;
      ++compared;
    }
  }
  EXPECT_EQ(compared, 8 * 7);
}

class EvalFiles : public Eval {
 protected:
  schema::BenchmarkResult run() {
    data_ = file("a.jsonl", fmt::format("{}\n{}\n{}\n", kRow2, kTied, kRef));
    examples_ = read_examples(Benchmark::kRewardBench2, {data_});
    FakeSource source;
    schema::BenchmarkResult result =
        summarize(Benchmark::kRewardBench2, examples_, score_examples(examples_, source));
    result.model.name = "org/name";
    result.rule = {{"name", "transformers"}, {"template_source", "x.jinja"}};
    result.rule_text = "the rule";
    return result;
  }
  void write(const schema::BenchmarkResult& result, const std::string& name, bool overwrite) {
    ResultDirectory directory(path(name), overwrite);
    const RenderText render = [](const Example& example, std::size_t i) {
      return "é" + answer_text(example.conversations[i]);
    };
    RunManifest manifest;
    manifest.laurel_version = "1";
    manifest.data_files = {data_};
    write_result_files(directory.staging(), result, examples_, render, manifest);
    directory.commit();
  }
  std::string data_;
  std::vector<Example> examples_;
};

TEST_F(EvalFiles, RunnerFormIsExact) {
  write(run(), "out", false);
  EXPECT_EQ(read_file(path("out/eval-set/org/name.json")),
            "{\n    \"Math\": 1.0,\n    \"Ties\": 0.0,\n    \"chat_template\": \"tokenizer\",\n"
            "    \"model\": \"org/name\",\n    \"model_type\": \"Seq. Classifier\"\n}");
  const Json scores = read_json_file(path("out/eval-set-scores/org/name.json"));
  std::vector<std::string> keys;
  for (const auto& [key, value] : scores.items()) keys.push_back(key);
  EXPECT_EQ(keys, (std::vector<std::string>{"chat_template", "id", "model", "model_type",
                                            "num_correct", "results", "scores", "subset", "text"}));
  EXPECT_EQ(to_line(scores["scores"]),
            "[[[5.0],[2.0],[2.0],[2.0]],[[1.0],[1.0],[1.0]],[[1.0],[1.0],[1.0]]]");
  EXPECT_EQ(scores["text"][0][1], "éw1");
  EXPECT_THAT(read_file(path("out/eval-set-scores/org/name.json")), HasSubstr("\"\\u00e9w1\""));
}

TEST_F(EvalFiles, StoredScoresGiveTheSameSummary) {
  const schema::BenchmarkResult result = run();
  write(result, "out", false);
  schema::BenchmarkResult again = summarize(Benchmark::kRewardBench2, examples_,
                                            read_scores(examples_, path("out/scores.jsonl")));
  adopt_manifest(path("out/scores.jsonl"), again);
  EXPECT_EQ(to_line(summary_json(again)), to_line(summary_json(result)));
  EXPECT_EQ(again.rule_text, "the rule");
  EXPECT_EQ(find_scores_file(path("out")), path("out/scores.jsonl"));
  EXPECT_EQ(find_scores_file(path("out/eval-set-scores")),
            path("out/eval-set-scores/org/name.json"));
  EXPECT_EQ(find_scores_file(path("out/scores.jsonl")), path("out/scores.jsonl"));
  EXPECT_THAT(error_of([&] { find_scores_file(directory_.string()); }),
              HasSubstr("or a single scores file, got 6 files"));
  const Json manifest = read_json_file(path("out/manifest.json"));
  EXPECT_EQ(manifest["data"][0]["bytes"], fs::file_size(data_));
  EXPECT_EQ(manifest["model"]["name"], "org/name");
}

TEST_F(EvalFiles, OverwritesOnlyEvaluations) {
  schema::BenchmarkResult result = run();
  write(result, "out", false);
  EXPECT_THAT(error_of([&] { write(result, "out", false); }),
              HasSubstr("out: holds an earlier evaluation"));
  result.model.name = "/models/other";
  write(result, "out/", true);
  EXPECT_TRUE(fs::exists(path("out/eval-set/other.json")));
  EXPECT_FALSE(fs::exists(path("out/eval-set/org")));
  EXPECT_FALSE(fs::exists(path("out.new")));
  file("out/notes.txt", "mine");
  EXPECT_THAT(error_of([&] { write(result, "out", true); }),
              HasSubstr("holds \"notes.txt\", which is no file of an"));
  EXPECT_THAT(error_of([&] { write(result, "a.jsonl", true); }),
              HasSubstr("exists and is no directory"));
}

TEST_F(EvalFiles, NothingIsLeftWithoutCommit) {
  { ResultDirectory directory(path("out"), false); }
  EXPECT_FALSE(fs::exists(path("out")));
}

}  // namespace
}  // namespace laurel::bench
