// Byte-pair encoding as tokenizers 0.22.2 does it: characters, then repeatedly the adjacent pair of
// lowest (rank, position), until no pair is in the merge table.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "laurel/tokenizer/model.h"

namespace laurel::tokenizer {

// The "model" section of tokenizer.json, as read.
struct BpeConfig {
  struct Merge {  // two strings, back to back in merge_text
    std::uint32_t offset;
    std::uint32_t left_size;
    std::uint32_t right_size;
  };
  Vocabulary vocabulary;
  std::string merge_text;
  std::vector<Merge> merges;
  std::optional<std::string> unk_token;
  bool fuse_unk = false;
  bool byte_fallback = false;
  bool ignore_merges = false;
};

// Throws UserError for a merge whose parts or result are not in the vocabulary.
std::unique_ptr<Model> make_bpe(BpeConfig config, std::string_view where);

}  // namespace laurel::tokenizer
