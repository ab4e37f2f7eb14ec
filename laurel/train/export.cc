#include "laurel/train/export.h"

#include <map>
#include <vector>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/base/half.h"
#include "laurel/base/json.h"
#include "laurel/formats/safetensors_writer.h"
#include "laurel/formats/shard_writer.h"
#include "laurel/model/companion_files.h"
#include "laurel/model/decoder_weights.h"
#include "laurel/model/family.h"
#include "laurel/train/lora_export.h"

namespace laurel::train {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTemplateFile = "chat_template.jinja";

const char* torch_name(DType dtype) { return dtype == DType::kBF16 ? "bfloat16" : "float32"; }

Json make_config(const model::TrainableModel& model, const ExportOptions& options) {
  Json config = model::reward_config(options.base);
  config["pad_token_id"] = options.pad.id;
  config["vocab_size"] = model.config().vocab_size;
  config.erase(
      "dtype");  // its name in later versions of transformers, which read the older one too
  config["torch_dtype"] = torch_name(options.dtype);
  return config;
}

void pass(const std::vector<float>& values, DType dtype, const formats::ByteSink& sink) {
  if (dtype == DType::kF32) return sink(std::as_bytes(std::span(values)));
  std::vector<std::uint16_t> rounded;
  rounded.reserve(values.size());
  for (const float value : values) rounded.push_back(float_to_bf16(value));
  sink(std::as_bytes(std::span(rounded)));
}

std::vector<formats::TensorToWrite> tensors_of(const model::TrainableModel& model, DType dtype) {
  std::vector<formats::TensorToWrite> tensors;
  for (const model::ExpectedTensor& expected : model::expected_tensors(model.config())) {
    tensors.push_back({expected.name, dtype, expected.shape,
                       [&model, name = expected.name, dtype](const formats::ByteSink& sink) {
                         pass(merged_tensor(model, name), dtype, sink);
                       }});
  }
  return tensors;
}

// The pad token's files only where the model has the token's row.
void write_tokenizer_files(const ExportOptions& options, bool with_pad, const fs::path& directory) {
  std::map<std::string, std::string> files;
  for (const char* name : model::kCompanionFiles) {
    if (fs::exists(options.base / name)) files[name] = read_file(options.base / name);
  }
  if (with_pad) {
    for (const auto& [name, text] : options.pad.files) files[name] = text;
  }
  if (!options.chat_template.empty()) files[kTemplateFile] = options.chat_template;
  for (const auto& [name, text] : files) write_file(directory / name, text);
}

}  // namespace

void export_model(const model::TrainableModel& model, const ExportOptions& options,
                  const fs::path& directory) {
  const bool is_adapter = model.options().lora.has_value() && !options.merge_lora;
  write_tokenizer_files(options, !is_adapter, directory);
  if (is_adapter) return write_adapter(model, options.base_name, directory);
  formats::ShardOptions shards;
  shards.max_bytes = options.max_shard_bytes;
  formats::write_sharded(directory, tensors_of(model, options.dtype), shards);
  write_file(directory / "config.json", to_text(make_config(model, options)));
}

void export_directory(const model::TrainableModel& model, const ExportOptions& options,
                      const fs::path& directory) {
  AtomicDirectory folder(directory);
  export_model(model, options, folder.staging());
  folder.commit();
}

}  // namespace laurel::train
