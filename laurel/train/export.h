// The trained model as other programs load it: a Hugging Face directory, or a PEFT adapter.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "laurel/model/trainable_model.h"
#include "laurel/train/pad_token.h"

namespace laurel::train {

struct ExportOptions {
  std::filesystem::path base;  // the base checkpoint's directory
  std::string base_name;       // as given by the user, for the adapter's config
  DType dtype = DType::kF32;   // or kBF16; adapters are always float32
  bool merge_lora = false;     // write the whole model, adapters added to their weights
  std::uint64_t max_shard_bytes = 5'000'000'000;
  std::string chat_template;  // text used instead of the base's; empty: the base's
  PadToken pad;  // of a whole model; an adapter keeps the base's tokenizer, it cannot add a row
};

// Writes the model's files into `directory`, which may hold others, config.json
// (adapter_config.json) last, each complete or not there. Without LoRA: config.json of a
// …ForSequenceClassification with one label, tensors in one file or shards of at most
// max_shard_bytes, tokenizer files and license files of the base. With LoRA, unless it is merged:
// the adapter and the score head in PEFT's form, and the tokenizer files. Throws IoError,
// UserError.
void export_model(const model::TrainableModel& model, const ExportOptions& options,
                  const std::filesystem::path& directory);

// The same as a new directory that appears as a whole.
void export_directory(const model::TrainableModel& model, const ExportOptions& options,
                      const std::filesystem::path& directory);

}  // namespace laurel::train
