// tokenizer.json cut into its sections. The model, which is nearly all of the file, is read at
// once; the others are small and stay JSON.
#pragma once

#include <string_view>

#include "laurel/base/json.h"
#include "laurel/tokenizer/bpe.h"

namespace laurel::tokenizer {

struct TokenizerFile {
  Json added_tokens;  // null where the file has none, like the others
  Json normalizer;
  Json pre_tokenizer;
  Json post_processor;
  Json decoder;
  Json padding;
  BpeConfig model;
};

// Throws UserError for what is damaged, or a model that is not supported.
TokenizerFile read_tokenizer_file(std::string_view text, std::string_view where);

}  // namespace laurel::tokenizer
