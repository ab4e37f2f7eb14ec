// laurel convert: a GGUF model as a Hugging Face directory, or a reward model as an int8 pack.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "laurel/base/error.h"
#include "laurel/base/progress.h"
#include "laurel/cli/app.h"
#include "laurel/cli/commands.h"
#include "laurel/cli/conversation_file.h"
#include "laurel/formats/gguf_convert.h"
#include "laurel/scoring/int8_convert.h"

namespace laurel::cli {
namespace {

struct ConvertCommand {
  std::string from;
  std::string to;
  std::string dtype = "f32";
  std::string adapter;
  std::string calibration;
  model::Int8Rule rule;
  bool compact = false;
  std::uint64_t max_shard_bytes = 5'000'000'000;
  int num_threads = 0;
};

void print_result(const ConvertCommand& command, const std::string& what,
                  std::int64_t num_parameters, std::uint64_t num_bytes, std::int64_t num_shards) {
  fmt::print("{}: {}, {} parameters, {} in {} {}\n", command.to, what, format_count(num_parameters),
             format_bytes(num_bytes), num_shards, num_shards == 1 ? "file" : "files");
}

void convert_gguf(const ConvertCommand& command) {
  if (!command.adapter.empty() || !command.calibration.empty() || command.compact)
    throw UserError("options --adapter, --calibration and --compact: for --dtype int8 only");
  formats::GgufConvertOptions options;
  options.from = command.from;
  options.to = command.to;
  if (command.dtype == "bf16") options.dtype = DType::kBF16;
  if (command.dtype == "blocks") options.dtype = std::nullopt;
  options.max_shard_bytes = command.max_shard_bytes;
  const formats::GgufConvertResult result = formats::convert_gguf(options);
  print_result(command, fmt::format("{}, {} tensors", result.architecture, result.num_tensors),
               result.num_parameters, result.num_bytes, result.num_shards);
}

std::vector<schema::Conversation> read_calibration(const std::string& path) {
  std::vector<schema::Conversation> conversations = read_conversation_file(path);
  if (conversations.empty()) throw UserError("{}: no rows to calibrate on", path);
  return conversations;
}

void print_plan(const model::Int8Plan& plan) {
  std::int64_t num_float = 0;
  double largest = 0;
  for (const auto& [name, choice] : plan) {
    if (choice.stays_float) {
      ++num_float;
      fmt::print("{}: stays in float, its error in int8 would be {:.1f} %\n", name,
                 100 * choice.relative_error);
    } else {
      largest = std::max(largest, choice.relative_error);
    }
  }
  fmt::print("{} of {} linear layers stay in float; the largest error of the others is {:.1f} %\n",
             num_float, plan.size(), 100 * largest);
}

void convert_to_int8(const ConvertCommand& command) {
  if (std::filesystem::is_regular_file(command.from)) {
    throw UserError(
        "{}: --dtype int8 takes a reward model's directory, got a file; convert a GGUF file to "
        "f32, bf16 or blocks first",
        command.from);
  }
  scoring::Int8ConvertOptions options;
  options.from = command.from;
  options.adapter = command.adapter;
  options.to = command.to;
  if (!command.calibration.empty()) options.calibration = read_calibration(command.calibration);
  options.rule = command.rule;
  options.rule.has_rest = !command.compact;
  options.max_shard_bytes = command.max_shard_bytes;
  options.num_threads = command.num_threads;
  const scoring::Int8ConvertResult result = scoring::convert_to_int8(options);
  print_plan(result.plan);
  print_result(command, result.architecture, result.num_parameters, result.num_bytes,
               result.num_shards);
}

void add_int8_options(CLI::App& app, ConvertCommand& command) {
  app.add_option("--adapter", command.adapter, "int8: PEFT LoRA adapter directory, merged first")
      ->type_name("DIR");
  app.add_option(
         "--calibration", command.calibration,
         "int8: JSONL rows, as for laurel score and like those to be scored, that guide rounding "
         "and show which layers must stay in float (default: a built-in text)")
      ->type_name("FILE");
  app.add_option("--max-error", command.rule.max_error,
                 "int8: keep layers in float whose relative error on that text is larger; lower is "
                 "more exact and slower")
      ->type_name("X")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app.add_flag(
      "--compact", command.compact,
      "int8: half the size; the rows that rewards depend on most get weights of eight bits "
      "as the others do, instead of sixteen, and rewards more error");
  app.add_option("--threads", command.num_threads, "int8: threads (default: all usable cores)")
      ->type_name("N")
      ->check(CLI::Range(1, 4096));
}

}  // namespace

void add_convert(CLI::App& app) {
  auto command = std::make_shared<ConvertCommand>();
  CLI::App& convert =
      add_command(app, "convert",
                  "Turn a GGUF model into a Hugging Face directory, or a reward model into int8",
                  "Prepare", "laurel convert --from model.gguf --to DIR");
  convert
      .add_option("--from", command->from,
                  "GGUF file (architecture llama or qwen2); for int8 a reward model's directory or "
                  "org/name[@revision]")
      ->required()
      ->type_name("FILE");
  convert.add_option("--to", command->to, "Directory to write; must be new or empty")
      ->required()
      ->type_name("DIR");
  convert
      .add_option(
          "--dtype", command->dtype,
          "Element type: f32 (exact), bf16 (half the size, rounded), blocks (as the GGUF file "
          "has them: exact and small) or int8; the last two only Laurel reads")
      ->check(CLI::IsMember({"f32", "bf16", "blocks", "int8"}).description(""))
      ->capture_default_str()
      ->type_name("f32|bf16|blocks|int8");
  convert
      .add_option("--max-shard-size", command->max_shard_bytes,
                  "Largest weight file, with unit (5GB, 500MB)")
      ->transform(CLI::AsSizeValue(true).description(""))
      ->check(CLI::PositiveNumber.description(""))
      ->default_str("5GB")
      ->type_name("SIZE");
  add_int8_options(convert, *command);
  convert.callback([command] {
    if (command->dtype == "int8") return convert_to_int8(*command);
    convert_gguf(*command);
  });
}

}  // namespace laurel::cli
