// What transformers 4.57.6 lays over tokenizer.json when it loads a fast tokenizer: tokens that
// tokenizer_config.json and special_tokens_map.json add again, special tokens by role, and what the
// tokenizer's class changes.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "laurel/base/json.h"
#include "laurel/tokenizer/added_tokens.h"
#include "laurel/tokenizer/tokenizer_file.h"

namespace laurel::tokenizer {

struct Overlay {
  std::vector<AddedToken> tokens;            // to be added behind those of the file, in this order
  std::map<std::string, std::string> roles;  // "bos_token" → text
  bool split_special_tokens = false;
  // The classes of Llama and Gemma replace the file's post-processor by these.
  bool rebuild_post_processor = false;
  bool add_bos_token = false;
  bool add_eos_token = false;
  // Replaces ByteLevel's own flag, where ByteLevel is the whole pre-tokenizer.
  std::optional<bool> add_prefix_space;
};

// `config` and `special_tokens_map` are objects. `where` names the tokenizer in errors.
Overlay make_overlay(const TokenizerFile& file, const Json& config, const Json& special_tokens_map,
                     const std::string& where);

// The tokenizer_class that transformers takes for a config.json whose tokenizer_config.json names
// none; empty for a plain PreTrainedTokenizerFast.
std::string tokenizer_class_of_model(const Json& model_config);

}  // namespace laurel::tokenizer
