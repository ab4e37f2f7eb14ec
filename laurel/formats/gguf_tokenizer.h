// From GGUF tokenizer metadata to the tokenizer files of a Hugging Face directory.
#pragma once

#include <map>
#include <string>

#include "laurel/formats/gguf.h"

namespace laurel::formats {

// File name to content: tokenizer.json, tokenizer_config.json, special_tokens_map.json and, if the
// metadata hold a chat template, chat_template.jinja.
using TokenizerFiles = std::map<std::string, std::string>;

// Follows the metadata: tokenizer.ggml.pre picks the pre-tokenizer, add_bos_token and add_eos_token
// the post-processor. Byte-level BPE only (tokenizer.ggml.model "gpt2"). Every id keeps its token;
// unused ids (padding of the vocabulary) are left out. Throws UserError for metadata that are
// missing, contradictory or of an unsupported kind.
TokenizerFiles make_tokenizer_files(const GgufFile& gguf, std::int64_t max_length);

}  // namespace laurel::formats
