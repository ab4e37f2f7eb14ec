#include "laurel/cli/scorer_options.h"

#include <CLI/CLI.hpp>

namespace laurel::cli {

void add_rule_options(CLI::App& command, scoring::ScorerOptions& options) {
  command
      .add_option("--model", options.model,
                  "Model directory, or org/name[@revision] in the Hugging Face cache")
      ->type_name("M");
  command
      .add_option("--rule", options.rule,
                  "Scoring rule: transformers, or reward-bench as that runner scores")
      ->check(CLI::IsMember({"transformers", "reward-bench"}))
      ->capture_default_str();
  command
      .add_option("--max-length", options.max_length,
                  "Longest conversation in tokens (default: the rule's)")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--truncation", options.truncation,
                  "What to do with longer ones (default: the rule's)")
      ->check(CLI::IsMember({"error", "left", "right"}));
  command
      .add_option("--chat-template", options.template_file,
                  "Jinja file used instead of the checkpoint's template")
      ->type_name("FILE");
  command
      .add_option("--date", options.template_date,
                  "Date for templates that print today's, as YYYY-MM-DD")
      ->type_name("DATE");
}

void add_scorer_options(CLI::App& command, scoring::ScorerOptions& options) {
  add_rule_options(command, options);
  command.add_option("--adapter", options.adapter, "PEFT LoRA adapter directory, merged at load")
      ->type_name("DIR");
  command
      .add_option(
          "--dtype", options.dtype,
          "Compute type: f32, bf16 with transformers' rounding, or int8, faster and near f32, made "
          "at every start unless the model is an int8 pack (default: f32, but int8 for a pack)")
      ->check(CLI::IsMember({"f32", "bf16", "int8"}));
  command.add_option("--threads", options.num_threads, "Threads (default: all usable cores)")
      ->type_name("N")
      ->check(CLI::Range(1, 4096));
  command
      .add_option("--batch-tokens", options.batch_tokens,
                  "Tokens per forward pass; speed and memory only")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_flag_callback(
      "--no-prefix-sharing", [&options] { options.share_prefixes = false; },
      "Compute shared prefixes again for every conversation; slower, same rewards");
  CLI::Option* stream = command.add_flag_callback(
      "--stream-weights", [&options] { options.stream_weights = true; },
      "Read weights layer by layer while computing, two layers in memory; same rewards "
      "(default: if they do not fit)");
  command
      .add_flag_callback(
          "--no-stream-weights", [&options] { options.stream_weights = false; },
          "Keep all weights in memory, even if they may not fit")
      ->excludes(stream);
}

}  // namespace laurel::cli
