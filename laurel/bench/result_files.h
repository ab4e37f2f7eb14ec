// The files of an evaluation.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "laurel/bench/example.h"
#include "laurel/schema/benchmark_result.h"

namespace laurel::bench {

// How the result came about, for manifest.json.
struct RunManifest {
  std::string laurel_version;
  Json options = Json::object();        // as given on the command line
  std::vector<std::string> data_files;  // fingerprinted here
  std::string scores_file;              // empty when a model was run
};

// The rendered text of an example's i-th conversation, as the model sees it; may return an empty
// text.
using RenderText = std::function<std::string(const Example& example, std::size_t index)>;

// Writes into an existing directory:
//   scores.jsonl        one line per example, in data order
//   summary.json        overall, parts, counts, intervals, rule, model
//   manifest.json       rule, model, versions, options, data fingerprints
//   eval-set/M.json, eval-set-scores/M.json   as reward-bench's runner writes them (M: the model's
//   name)
void write_result_files(const std::filesystem::path& directory,
                        const schema::BenchmarkResult& result, const std::vector<Example>& examples,
                        const RenderText& render, const RunManifest& manifest);

// The directory of an evaluation, which appears whole or not at all. With `overwrite`, an earlier
// evaluation is exchanged for the new one in one step; a directory that holds anything else is
// refused.
class ResultDirectory {
 public:
  ResultDirectory(std::filesystem::path path, bool overwrite);
  ~ResultDirectory();
  ResultDirectory(const ResultDirectory&) = delete;
  ResultDirectory& operator=(const ResultDirectory&) = delete;

  const std::filesystem::path& staging() const;
  void commit();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Model and rule that the manifest beside a scores file of ours names, or the model's name that a
// scores file of reward-bench holds. The result is left alone if there is neither.
void adopt_manifest(const std::string& scores_file, schema::BenchmarkResult& result);

}  // namespace laurel::bench
