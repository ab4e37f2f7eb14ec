// laurel mini: writes the Laurel Mini benchmark, or training pairs of the same kind.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "laurel/base/file.h"
#include "laurel/bench/mini.h"
#include "laurel/cli/app.h"
#include "laurel/cli/commands.h"

namespace laurel::cli {
namespace {

struct MiniCommand {
  std::string split = "test";
  std::string form = "reward-bench-2";
  std::string output;
  bench::MiniOptions options;
};

void run_mini(MiniCommand command) {
  command.options.split =
      command.split == "train" ? bench::MiniSplit::kTrain : bench::MiniSplit::kTest;
  AtomicFile file(command.output);
  std::size_t num_lines = 0;
  for (const bench::MiniRow& row : bench::make_mini(command.options)) {
    const std::vector<Json> lines = command.form == "preference"
                                        ? bench::mini_pairs(row)
                                        : std::vector<Json>{bench::mini_row_json(row)};
    for (const Json& line : lines) file.write(to_line(line) + "\n");
    num_lines += lines.size();
  }
  file.commit();
  fmt::print(stderr, "{}: {} {}\n", command.output, num_lines,
             command.form == "preference" ? "pairs" : "rows");
}

}  // namespace

void add_mini(CLI::App& app) {
  auto command = std::make_shared<MiniCommand>();
  CLI::App& mini =
      add_command(app, "mini",
                  "Write Laurel Mini, a benchmark whose answers are right or wrong by construction",
                  "Prepare", "laurel mini --split test --output mini.jsonl");
  mini.add_option("--split", command->split, "Which part; they share no prompt and no entity")
      ->check(CLI::IsMember({"train", "test"}))
      ->capture_default_str();
  mini.add_option("--form", command->form,
                  "Rows of RewardBench 2, or chosen and rejected message lists for training")
      ->check(CLI::IsMember({"reward-bench-2", "preference"}))
      ->capture_default_str();
  mini.add_option("--seed", command->options.seed,
                  "The same seed gives the same rows on every machine")
      ->type_name("N")
      ->capture_default_str();
  mini.add_option("--size", command->options.size, "Rows (default: 150 for test, 3000 for train)")
      ->type_name("N");
  mini.add_option("--output", command->output, "JSONL file")->required()->type_name("FILE");
  mini.callback([command] { run_mini(*command); });
}

}  // namespace laurel::cli
