// laurel convert: a GGUF model as a Hugging Face directory.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <memory>

#include "laurel/base/progress.h"
#include "laurel/cli/app.h"
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
  CLI::App& command = add_command(app, "convert", "Turn a GGUF model into a Hugging Face directory",
                                  "Prepare", "laurel convert --from model.gguf --to DIR");
  command.add_option("--from", options->from, "GGUF file (architecture llama or qwen2)")
      ->required()
      ->type_name("FILE");
  command.add_option("--to", options->to, "Directory to write; must be new or empty")
      ->required()
      ->type_name("DIR");
  const std::map<std::string, DType> dtypes = {{"f32", DType::kF32}, {"bf16", DType::kBF16}};
  command
      .add_option("--dtype", options->dtype,
                  "Element type: f32 (exact) or bf16 (half the size, rounded)")
      ->transform(CLI::CheckedTransformer(dtypes).description(""))
      ->default_str("f32")
      ->type_name("f32|bf16");
  command
      .add_option("--max-shard-size", options->max_shard_bytes,
                  "Largest weight file, with unit (5GB, 500MB)")
      ->transform(CLI::AsSizeValue(true).description(""))
      ->check(CLI::PositiveNumber.description(""))
      ->default_str("5GB")
      ->type_name("SIZE");
  command.callback([options] { run_convert(*options); });
}

}  // namespace laurel::cli
