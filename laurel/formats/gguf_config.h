// From GGUF metadata to config.json.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "laurel/base/json.h"
#include "laurel/formats/gguf.h"

namespace laurel::formats {

// The shape of a decoder as the metadata and the presence of tensors give it.
struct GgufDecoder {
  std::string architecture;  // "llama" or "qwen2"
  std::int64_t num_layers = 0;
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t num_heads = 0;
  std::int64_t num_key_value_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t vocab_size = 0;  // rows of the embedding
  std::int64_t max_length = 0;
  bool qkv_bias = false;
  bool output_bias = false;
  bool mlp_bias = false;
  bool tied_embeddings = false;  // there is no output.weight

  bool is_llama() const { return architecture == "llama"; }
};

// Throws UserError for an architecture other than llama and qwen2, for missing or senseless sizes
// and for features that the Hugging Face classes do not have (experts, sliding windows, partial
// rotary embedding).
GgufDecoder read_gguf_decoder(const GgufFile& gguf);

// config.json; dtype_name as transformers spells it ("float32"). Throws UserError for a RoPE
// scaling it cannot express.
Json make_config(const GgufFile& gguf, const GgufDecoder& decoder, std::string_view dtype_name);
Json make_generation_config(const GgufFile& gguf);

}  // namespace laurel::formats
