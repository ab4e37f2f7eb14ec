// The command line as users meet it: help, hints, exit status, the options page.
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "laurel/base/file.h"
#include "laurel/cli/app.h"
#include "laurel/cli/scorer_options.h"

namespace laurel::cli {
namespace {

struct Outcome {
  int status = 0;
  std::string output;
  std::string error;
};

Outcome run_words(std::vector<std::string> words) {
  words.insert(words.begin(), "laurel");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  Outcome outcome;
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  outcome.status = run(static_cast<int>(arguments.size()), arguments.data());
  outcome.output = testing::internal::GetCapturedStdout();
  outcome.error = testing::internal::GetCapturedStderr();
  return outcome;
}

TEST(CommandLine, HelpListsEveryCommandWithAnExample) {
  const Outcome outcome = run_words({"--help"});
  EXPECT_EQ(outcome.status, 0);
  for (const char* command :
       {"score", "eval", "info", "explain", "tokenize", "convert", "mini", "data", "train"}) {
    EXPECT_NE(outcome.output.find(std::string("\n  ") + command + " "), std::string::npos)
        << command;
    EXPECT_NE(outcome.output.find(std::string("$ laurel ") + command + " "), std::string::npos)
        << command;
    EXPECT_EQ(run_words({command, "--help"}).status, 0) << command;
  }
  EXPECT_EQ(run_words({}).output, outcome.output);
}

TEST(CommandLine, UnknownWordsGetAHint) {
  EXPECT_EQ(run_words({"scor"}).error,
            "laurel: error: laurel: unknown command scor; did you mean score?\n");
  EXPECT_EQ(run_words({"xyzzy"}).error,
            "laurel: error: laurel: unknown command xyzzy; see laurel --help\n");
  const Outcome outcome =
      run_words({"score", "--model", "m", "--input", "i", "--output", "o", "--thread", "2"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_EQ(run_words({"score", "--modle", "m", "--input", "i", "--output", "o"}).error,
            "laurel: error: laurel score: unknown option --modle; did you mean --model?\n");
  EXPECT_EQ(outcome.error,
            "laurel: error: laurel score: unknown option --thread; did you mean --threads?\n");
}

TEST(CommandLine, CommandsOfCommandsGetHintsToo) {
  EXPECT_EQ(run_words({"data"}).error,
            "laurel: error: laurel data: expected a command, inspect or mix\n");
  EXPECT_EQ(run_words({"data", "inspct"}).error,
            "laurel: error: laurel data: unknown command inspct; did you mean inspect?\n");
  EXPECT_EQ(run_words({"data", "mix", "--data", "d", "--outptu", "o"}).error,
            "laurel: error: laurel data mix: unknown option --outptu; did you mean --output?\n");
  EXPECT_EQ(run_words({"data", "mix", "--help"}).status, 0);
  EXPECT_NE(options_markdown(*make_app()).find("## laurel data mix\n"), std::string::npos);
}

TEST(CommandLine, BadValuesNameTheOption) {
  const Outcome missing = run_words({"score", "--input", "i", "--output", "o"});
  EXPECT_EQ(missing.status, 2);
  EXPECT_NE(missing.error.find("--model"), std::string::npos);
  const Outcome outside =
      run_words({"score", "--model", "m", "--input", "i", "--output", "o", "--dtype", "f64"});
  EXPECT_EQ(outside.status, 2);
  EXPECT_NE(outside.error.find("--dtype"), std::string::npos);
}

TEST(CommandLine, AMissingModelNamesWhereItWasLookedFor) {
  const Outcome outcome = run_words({"info", "--model", "/no/such/directory"});
  EXPECT_EQ(outcome.status, 2) << outcome.error;
  EXPECT_NE(outcome.error.find("/no/such/directory"), std::string::npos) << outcome.error;
}

TEST(CommandLine, OptionsPageIsUpToDate) {
  const std::string page = read_file(std::filesystem::path(LAUREL_SOURCE_DIR) / "docs/options.md");
  EXPECT_EQ(page, options_markdown(*make_app())) << "run: laurel options > docs/options.md";
}

TEST(CommandLine, ManifestValuesAreTheOptions) {
  CLI::App command;
  scoring::ScorerOptions options;
  add_scorer_options(command, options);
  bool skip_bad_rows = false;
  command.add_flag("--skip-bad-rows", skip_bad_rows);
  command.parse("--model m --threads 3 --skip-bad-rows");
  const Json values = option_values(command);
  EXPECT_EQ(values["threads"], "3");
  EXPECT_EQ(values["skip-bad-rows"], true);
  EXPECT_EQ(values["no-prefix-sharing"], false);
  EXPECT_EQ(values["rule"], "transformers");
  EXPECT_TRUE(values["adapter"].is_null());
}

}  // namespace
}  // namespace laurel::cli
