#include "laurel/train/run_directory.h"

#include <gtest/gtest.h>

#include "laurel/base/error.h"
#include "laurel/base/test_support.h"
#include "laurel/train/test_support.h"

namespace laurel::train {
namespace {

TEST(RunDirectory, ARunIsNotStartedOver) {
  const TestFolder folder;
  const auto path = folder / "run";
  RunDirectory(path, StartMode::kNew).write_record({});
  write_file(path / "metrics.jsonl", "{}\n");
  write_file(path / "mine.txt", "keep");
  write_file(path / "chat_template.jinja", "of the run before");
  EXPECT_TRUE(error_text<UserError>([&] {
                RunDirectory(path, StartMode::kNew);
              }).ends_with("--resume goes on with it, --overwrite starts anew"));
  EXPECT_TRUE(RunDirectory(path, StartMode::kResume).holds_run());
  {
    const RunDirectory again(path, StartMode::kOverwrite);
    EXPECT_TRUE(again.holds_run());  // until its input is known to be good
    again.clear_for_overwrite();
    EXPECT_FALSE(again.holds_run());
  }
  EXPECT_FALSE(std::filesystem::exists(path / "metrics.jsonl"));
  EXPECT_FALSE(std::filesystem::exists(path / "chat_template.jinja"));
  EXPECT_TRUE(std::filesystem::exists(path / "mine.txt"));
}

TEST(RunDirectory, FoldersOfOthersAreLeftAlone) {
  const TestFolder folder;
  write_file(folder / "thesis.tex", "x");
  for (const StartMode mode : {StartMode::kNew, StartMode::kOverwrite}) {
    EXPECT_TRUE(error_text<UserError>([&] { RunDirectory(folder.path(), mode); })
                    .ends_with("holds files that are no training run, expected a new or empty "
                               "directory"));
  }
}

TEST(RunDirectory, AStartThatWroteNothingLeavesNothing) {
  const TestFolder folder;
  { const RunDirectory directory(folder / "runs/first/", StartMode::kNew); }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  std::filesystem::create_directory(folder / "mine");
  { const RunDirectory directory(folder / "mine", StartMode::kNew); }
  EXPECT_TRUE(std::filesystem::is_empty(folder / "mine"));
  RunDirectory(folder / "runs/first", StartMode::kNew).write_record({});
  EXPECT_TRUE(std::filesystem::exists(folder / "runs/first/run.json"));
}

TEST(RunDirectory, OneProcessAtATime) {
  const TestFolder folder;
  const RunDirectory first(folder / "run", StartMode::kNew);
  EXPECT_TRUE(error_text<UserError>([&] {
                RunDirectory(folder / "run", StartMode::kResume);
              }).ends_with("another process is training there"));
}

TEST(RunDirectory, WhatAKilledProcessBeganIsRemoved) {
  const TestFolder folder;
  write_file(folder / "run.json.123-4.tmp", "x");
  write_file(folder / "mine.tmp", "x");
  const RunDirectory directory(folder.path(), StartMode::kResume);
  EXPECT_FALSE(std::filesystem::exists(folder / "run.json.123-4.tmp"));
  EXPECT_TRUE(std::filesystem::exists(folder / "mine.tmp"));
}

TEST(RunDirectory, MetricsAreCutBackToTheCheckpoint) {
  const TestFolder folder;
  const auto file = folder / "metrics.jsonl";
  cut_metrics(file, 3);
  EXPECT_FALSE(std::filesystem::exists(file));
  write_file(file, "{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n{\"st");
  cut_metrics(file, 5);
  EXPECT_EQ(read_file(file), "{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n");
  cut_metrics(file, 2);
  EXPECT_EQ(read_file(file), "{\"step\":1}\n{\"step\":2}\n");
  cut_metrics(file, 0);
  EXPECT_EQ(read_file(file), "");
}

}  // namespace
}  // namespace laurel::train
