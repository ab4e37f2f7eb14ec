#include "laurel/cli/data_options.h"

#include <CLI/CLI.hpp>

namespace laurel::cli {
namespace {

void add_reader_options(CLI::App& command, data::ReaderOptions& reader) {
  command.add_option("--prompt-key", reader.prompt_key, "Column of the prompt")
      ->type_name("NAME")
      ->capture_default_str();
  command.add_option("--chosen-key", reader.chosen_key, "Column of the better completion")
      ->type_name("NAME")
      ->capture_default_str();
  command.add_option("--rejected-key", reader.rejected_key, "Column of the worse completion")
      ->type_name("NAME")
      ->capture_default_str();
  command.add_flag("--strings-are-text", reader.strings_are_text,
                   "Strings are rendered text, not the turns of a conversation");
  command.add_flag("--skip-bad-rows", reader.skip_bad_rows,
                   "Count rows that cannot be read instead of stopping");
}

}  // namespace

void add_data_options(CLI::App& command, data::BuildOptions& options) {
  command
      .add_option(
          "--data", options.mix,
          "\"SOURCE [AMOUNT [SPLIT]]\": a file, a directory or org/name; a share (0.5, 3.0) "
          "or a number of rows (500); repeatable")
      ->required()
      ->allow_extra_args(false)
      ->type_name("ENTRY");
  add_reader_options(command, options.reader);
  command
      .add_option("--max-length", options.filters.max_length,
                  "Drop examples with a longer side, in tokens (default: keep all)")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--max-prompt-length", options.filters.max_prompt_length,
                  "Drop examples with a longer prompt, in tokens (default: keep all)")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--decontaminate", options.filters.benchmark_files,
                  "Benchmark rows; examples whose prompt overlaps with one are dropped; repeatable")
      ->allow_extra_args(false)
      ->type_name("FILE");
  command
      .add_option("--sample-seed", options.seed,
                  "Of the rows that an amount samples; 42 as open-instruct")
      ->type_name("N")
      ->capture_default_str();
}

}  // namespace laurel::cli
