// A tokenizer model turns one pre-token into ids. Byte-level BPE is the first kind; others
// (Unigram, WordPiece) have the same interface.
#pragma once

#include <string_view>
#include <vector>

#include "laurel/tokenizer/tokenizer.h"
#include "laurel/tokenizer/vocabulary.h"

namespace laurel::tokenizer {

class Model {
 public:
  virtual ~Model() = default;

  // Appends the ids of a pre-token. With `as_bytes`, the text stands for its bytes' characters in
  // the byte-level alphabet (laurel/tokenizer/byte_alphabet.h), so that the pipeline need not spell
  // them out. Throws UserError where the reference fails. Thread-safe.
  virtual void tokenize(std::string_view text, bool as_bytes, std::vector<TokenId>& ids) const = 0;
  virtual const Vocabulary& vocabulary() const = 0;
};

}  // namespace laurel::tokenizer
