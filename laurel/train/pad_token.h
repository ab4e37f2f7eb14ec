// The pad token of a reward model: distinct from the eos token, so that the end of an answer is
// scored and never taken for padding.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace laurel::train {

struct PadToken {
  std::string content;
  std::int32_t id = 0;
  // Rows of the embedding that the model needs for it.
  std::int64_t vocab_size = 0;
  // Tokenizer files of the checkpoint that change, by name: the whole new text.
  std::map<std::string, std::string> files;
};

// The tokenizer's own pad token if it has one that is not the eos token. Else "<pad>", added to the
// tokenizer if it does not know it; the embedding then grows, if need be, to a multiple of 8 rows,
// as open-instruct's does. Throws UserError for tokenizer files that cannot be understood.
PadToken choose_pad_token(const std::filesystem::path& directory, std::int64_t vocab_size);

}  // namespace laurel::train
