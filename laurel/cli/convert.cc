// laurel convert: a GGUF model as a Hugging Face directory.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <memory>

#include "laurel/base/progress.h"
#include "laurel/cli/commands.h"
#include "laurel/formats/gguf_convert.h"

namespace laurel::cli {
namespace {

void run_convert(const formats::GgufConvertOptions& options) {
  const formats::GgufConvertResult result = formats::convert_gguf(options);
  fmt::print("{}: {}, {} tensors, {} parameters, {} in {} {}\n", options.to.string(),
             result.architecture, result.num_tensors, format_count(result.num_parameters),
             format_bytes(result.num_bytes), result.num_shards,
             result.num_shards == 1 ? "file" : "files");
}

}  // namespace

void add_convert(CLI::App& app) {
  auto options = std::make_shared<formats::GgufConvertOptions>();
  CLI::App* command =
      app.add_subcommand("convert", "Turn a GGUF model into a Hugging Face directory");
  command->add_option("--from", options->from, "GGUF file (llama or qwen2)")->required();
  command->add_option("--to", options->to, "Directory to write; must not exist or be empty")
      ->required();
  const std::map<std::string, DType> dtypes = {{"f32", DType::kF32}, {"bf16", DType::kBF16}};
  command
      ->add_option("--dtype", options->dtype,
                   "Element type: f32 (exact, default) or bf16 (half the size)")
      ->transform(CLI::CheckedTransformer(dtypes).description(""))
      ->type_name("f32|bf16");
  command
      ->add_option("--max-shard-size", options->max_shard_bytes,
                   "Largest weight file, e.g. 5GB (default)")
      ->transform(CLI::AsSizeValue(true).description(""))
      ->check(CLI::PositiveNumber.description(""))
      ->type_name("BYTES");
  command->callback([options] { run_convert(*options); });
}

}  // namespace laurel::cli
