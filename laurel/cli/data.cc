// laurel data inspect, laurel data mix: what training would see, and the same as a file.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "laurel/base/file.h"
#include "laurel/base/progress.h"
#include "laurel/cli/app.h"
#include "laurel/cli/commands.h"
#include "laurel/cli/data_options.h"
#include "laurel/data/summary.h"
#include "laurel/data/write_mix.h"
#include "laurel/hub/resolve.h"

namespace laurel::cli {
namespace {

struct DataCommand {
  std::string model;
  data::EncoderOptions encoder;
  data::BuildOptions build;
  int num_threads = 0;
  std::int64_t num_shown = 0;
  std::string output;
};

chat::Encoder load_encoder(DataCommand& command) {
  const std::filesystem::path directory = hub::resolve_model(command.model).directory;
  const Json config = read_json_file(directory / "config.json");
  command.build.vocab_size = get_int(config, "vocab_size", "config.json").value_or(0);
  return data::load_training_encoder(directory, command.encoder);
}

void show(const data::TrainingSet& set, const data::TrainingExample& example,
          const tokenizer::Tokenizer& tokenizer) {
  fmt::print("\n--- {} row {}", set.sources[static_cast<std::size_t>(example.source)], example.row);
  if (example.margin != 0) fmt::print(", margin {}", example.margin);
  const std::int64_t shared = data::shared_prefix(example.sequences);
  const auto split = [&](const std::vector<std::int32_t>& ids) {
    return ids.begin() + static_cast<std::ptrdiff_t>(shared);
  };
  const std::vector<std::int32_t>& best = example.sequences[0];
  fmt::print("\nshared, {} tokens:\n{}\n", shared, tokenizer.decode({best.begin(), split(best)}));
  for (std::size_t i = 0; i < example.sequences.size(); ++i) {
    const std::vector<std::int32_t>& ids = example.sequences[i];
    fmt::print("{}, {} tokens more:\n{}\n", i == 0 ? "best" : fmt::format("rank {}", i + 1),
               ids.end() - split(ids), tokenizer.decode({split(ids), ids.end()}));
  }
}

void run_inspect(DataCommand command) {
  const chat::Encoder encoder = load_encoder(command);
  ThreadPool pool(command.num_threads);
  const data::TrainingSet set = data::build_training_set(command.build, encoder, pool);
  if (!command.output.empty()) write_file(command.output, to_text(set.summary));
  fmt::print("{}", data::summary_text(set.summary));
  for (std::size_t i = 0; i < set.examples.size(); ++i) {
    if (static_cast<std::int64_t>(i) == command.num_shown) break;
    show(set, set.examples[i], encoder.tokenizer());
  }
}

void run_mix(DataCommand command) {
  std::optional<chat::Encoder> encoder;
  if (!command.model.empty()) encoder.emplace(load_encoder(command));
  ThreadPool pool(command.num_threads);
  const Json result =
      data::write_mix(command.build, encoder ? &*encoder : nullptr, pool, command.output);
  fmt::print(stderr, "{}: {} examples\n", command.output,
             format_count(result["examples"].get<std::int64_t>()));
  fmt::print(stderr, "{}", data::sources_text(result["sources"]));
}

void add_shared_options(CLI::App& app, DataCommand& command) {
  app.add_option("--model", command.model,
                 "Directory with tokenizer and chat template, or org/name[@revision]")
      ->type_name("M");
  app.add_option("--chat-template", command.encoder.template_file,
                 "Jinja file used instead of the checkpoint's template")
      ->type_name("FILE");
  app.add_option("--date", command.encoder.template_date,
                 "Date for templates that print today's, as YYYY-MM-DD")
      ->type_name("DATE");
  add_data_options(app, command.build);
  app.add_option("--threads", command.num_threads, "Threads (default: all usable cores)")
      ->type_name("N")
      ->check(CLI::Range(1, 4096));
}

void add_inspect(CLI::App& data) {
  auto command = std::make_shared<DataCommand>();
  CLI::App& app = add_command(
      data, "inspect", "Show what a mix of preference data becomes: rows, filters, lengths, tokens",
      "Commands", "laurel data inspect --model org/name --data \"pairs.jsonl 0.5\" --show 2");
  add_shared_options(app, *command);
  app.get_option("--model")->required();
  app.add_option("--cache", command->build.cache_directory,
                 "Directory that keeps tokenized sources for the next time")
      ->type_name("DIR");
  app.add_option("--show", command->num_shown, "Print the first examples as the model sees them")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--output", command->output, "JSON file of the same figures")->type_name("FILE");
  app.callback([command] { run_inspect(*command); });
}

void add_mix(CLI::App& data) {
  auto command = std::make_shared<DataCommand>();
  CLI::App& app = add_command(
      data, "mix", "Write a mix as one file, messages written out", "Commands",
      "laurel data mix --data \"a.jsonl 1.0\" --data \"b.parquet 5000\" --output mix.jsonl.zst");
  add_shared_options(app, *command);
  app.add_option("--output", command->output, "JSON lines; compressed if it ends in .zst")
      ->required()
      ->type_name("FILE");
  app.callback([command] { run_mix(*command); });
}

}  // namespace

void add_data(CLI::App& app) {
  CLI::App& data = add_command(
      app, "data", "Show and mix preference data (laurel data inspect, laurel data mix)", "Train",
      "laurel data inspect --model org/name --data \"pairs.jsonl 1.0\"");
  data.require_subcommand(1);
  add_inspect(data);
  add_mix(data);
}

}  // namespace laurel::cli
