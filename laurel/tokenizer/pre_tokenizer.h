// The "pre_tokenizer" section of tokenizer.json: text → pre-tokens, which the model encodes one by
// one.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "laurel/base/json.h"

namespace laurel::tokenizer {

using Pieces = std::vector<std::string_view>;

// Text that a step made anew. Stays where it is until the arena goes.
using TextArena = std::deque<std::string>;

// One step: a piece of text → smaller pieces, none of them empty.
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  // Appends to `out` views of `text` or of new text in `arena`. Precondition: valid UTF-8, not
  // empty. Throws UserError when a regular expression gives up.
  virtual void split(std::string_view text, TextArena& arena, Pieces& out) const = 0;
};

// The steps in order, sequences flattened.
class PreTokenizerChain {
 public:
  PreTokenizerChain() = default;  // no steps: one piece
  // Throws UserError naming a kind that is not supported.
  PreTokenizerChain(const Json& section, const std::string& where);

  void split(std::string_view text, TextArena& arena, Pieces& out) const;

  // The pieces are raw bytes, to be read in the byte-level alphabet: the last step is ByteLevel.
  bool as_bytes() const { return as_bytes_; }

 private:
  std::vector<std::unique_ptr<PreTokenizer>> steps_;
  bool as_bytes_ = false;
};

}  // namespace laurel::tokenizer
