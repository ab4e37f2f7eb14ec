// laurel convert --dtype int8: a checkpoint as an int8 pack.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "laurel/model/int8_calibration.h"
#include "laurel/model/int8_weights.h"
#include "laurel/schema/conversation.h"

namespace laurel::scoring {

struct Int8ConvertOptions {
  std::string from;     // a model directory, or org/name[@revision] in the Hugging Face cache
  std::string adapter;  // PEFT LoRA directory, merged first; empty for none
  std::filesystem::path to;
  std::vector<schema::Conversation> calibration;  // empty: the built-in text
  model::Int8Rule rule;
  std::uint64_t max_shard_bytes = 5'000'000'000;
  int num_threads = 0;  // 0: all usable cores
};

struct Int8ConvertResult {
  std::string architecture;
  std::int64_t num_parameters = 0;
  std::uint64_t num_bytes = 0;  // of tensor data written
  std::int64_t num_shards = 0;
  model::Int8Plan plan;
};

// Writes the pack (laurel/model/int8_pack.h) with the tokenizer's files beside it. The directory
// appears whole or not at all. The same input gives the same bytes on every machine whose
// instruction set fuses multiply and add. Throws UserError, IoError.
Int8ConvertResult convert_to_int8(const Int8ConvertOptions& options);

}  // namespace laurel::scoring
