// Added tokens: strings that are cut out of the text before the model sees it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "laurel/base/json.h"
#include "laurel/tokenizer/normalizer.h"
#include "laurel/tokenizer/token_trie.h"
#include "laurel/tokenizer/tokenizer.h"
#include "laurel/tokenizer/vocabulary.h"

namespace laurel::tokenizer {

struct AddedToken {
  std::string content;
  bool single_word = false;  // only where no word character is beside it
  bool lstrip = false;       // swallows white space before it
  bool rstrip = false;       // and behind it
  bool normalized = false;   // matched in the normalized text, else in the raw text
  bool special = false;

  bool operator==(const AddedToken&) const = default;
};

// The "content" of a token, which must be there and of a sane length.
std::string read_content(const Json& object, const std::string& where);
// An entry of tokenizer.json's "added_tokens": all flags must be there.
AddedToken read_file_token(const Json& object, const std::string& where);
// A piece of text: an added token's id, or text for the steps that follow.
struct TextPiece {
  std::optional<TokenId> id;
  std::string_view text;
};

class AddedTokens {
 public:
  // Adds the tokens in order. One that the vocabulary knows keeps its id, the others get the next
  // free one.
  void add(const std::vector<AddedToken>& tokens, const Vocabulary& vocabulary);
  // Makes the tokens findable. Call once, after the last add(). Throws UserError for a token that
  // normalization leaves empty.
  void prepare(const Vocabulary& vocabulary, const Normalizer* normalizer,
               const std::string& where);
  // Special tokens in a text count as text.
  void set_split_special_tokens(bool split) { split_special_ = split; }

  // Cuts the text at the tokens that are matched in raw text (normalized = false) or in normalized
  // text.
  std::vector<TextPiece> split(std::string_view text, bool normalized) const;

  std::optional<TokenId> find(std::string_view content) const;
  const AddedToken* token(TokenId id) const;
  bool contains(std::string_view content) const { return find(content).has_value(); }
  // -1 when empty.
  TokenId max_id() const { return max_id_; }

 private:
  struct Matcher {
    TokenTrie trie;
    std::vector<TokenId> ids;
  };

  TokenId next_id(const Vocabulary& vocabulary) const;

  // The reference's own bookkeeping: a token that is added again, with other flags, stays in the
  // list of candidates with its first flags, while the flags at a match are those of the last
  // addition.
  std::unordered_map<std::string, TokenId> ids_;
  std::unordered_map<TokenId, AddedToken> by_id_;
  std::vector<AddedToken> special_candidates_;
  std::vector<AddedToken> other_candidates_;
  std::unordered_set<std::string> special_contents_;
  Matcher raw_;
  Matcher normalized_;
  bool split_special_ = false;
  TokenId max_id_ = -1;
};

}  // namespace laurel::tokenizer
