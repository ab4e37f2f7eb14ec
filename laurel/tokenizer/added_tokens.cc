#include "laurel/tokenizer/added_tokens.h"

#include <algorithm>
#include <utility>

#include "laurel/base/error.h"
#include "laurel/base/utf8.h"
#include "laurel/tokenizer/section.h"
#include "laurel/tokenizer/unicode_class.h"

namespace laurel::tokenizer {
namespace {

// Bounds the look-ahead of one match, so that no file makes matching slow. Real tokens have a few
// dozen bytes.
constexpr std::size_t kMaxContent = 1024;

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// Flags of the character before `end`, or 0 at the start of the text.
std::uint8_t flags_before(std::string_view text, std::size_t end) {
  if (end == 0) return 0;
  std::size_t begin = end - 1;
  while (is_continuation(text[begin])) --begin;
  return char_flags()(decode_utf8(text, begin));
}

std::uint8_t flags_at(std::string_view text, std::size_t begin) {
  return begin == text.size() ? std::uint8_t{0} : char_flags()(decode_utf8(text, begin));
}

std::size_t space_begin(std::string_view text, std::size_t end) {
  while (flags_before(text, end) & kSpace) {
    --end;
    while (is_continuation(text[end])) --end;
  }
  return end;
}

std::size_t space_end(std::string_view text, std::size_t begin) {
  while (flags_at(text, begin) & kSpace) decode_utf8(text, begin);
  return begin;
}

}  // namespace

std::string read_content(const Json& object, const std::string& where) {
  std::string content = require_string(object, "content", where);
  if (content.size() > kMaxContent) {
    throw UserError("{}: added token too long, expected at most {} bytes, got {}", where,
                    kMaxContent, content.size());
  }
  return content;
}

AddedToken read_file_token(const Json& object, const std::string& where) {
  return {read_content(object, where),
          require_bool(object, "single_word", where),
          require_bool(object, "lstrip", where),
          require_bool(object, "rstrip", where),
          require_bool(object, "normalized", where),
          require_bool(object, "special", where)};
}

TokenId AddedTokens::next_id(const Vocabulary& vocabulary) const {
  const auto size = static_cast<TokenId>(vocabulary.size());
  if (max_id_ == INT32_MAX) throw UserError("added tokens: no id left above {}", max_id_);
  return max_id_ >= size || size == 0 ? max_id_ + 1 : size;
}

void AddedTokens::add(const std::vector<AddedToken>& tokens, const Vocabulary& vocabulary) {
  for (const AddedToken& token : tokens) {
    if (token.special && !token.content.empty() && special_contents_.insert(token.content).second) {
      special_candidates_.push_back(token);
    }
  }
  for (const AddedToken& token : tokens) {
    if (token.content.empty()) continue;
    auto id = find(token.content);
    if (id && by_id_.contains(*id) && by_id_.at(*id) == token) continue;
    if (!id) id = vocabulary.find(token.content);
    if (!id) id = next_id(vocabulary);
    ids_[token.content] = *id;
    max_id_ = std::max(max_id_, *id);
    by_id_[*id] = token;
    if (!special_contents_.contains(token.content)) other_candidates_.push_back(token);
  }
}

void AddedTokens::prepare(const Vocabulary& vocabulary, const Normalizer* normalizer,
                          const std::string& where) {
  std::vector<std::string> raw, normalized;
  for (const auto* candidates : {&special_candidates_, &other_candidates_}) {
    for (const AddedToken& token : *candidates) {
      auto id = find(token.content);
      if (!id) id = vocabulary.find(token.content);
      if (!token.normalized) {
        raw.push_back(token.content);
        raw_.ids.push_back(*id);
        continue;
      }
      normalized.push_back(normalizer ? normalizer->normalize(token.content) : token.content);
      normalized_.ids.push_back(*id);
      if (normalized.back().empty()) {
        throw UserError("{}: added token \"{}\" is empty after normalization", where,
                        token.content);
      }
    }
  }
  raw_.trie = TokenTrie(raw);
  normalized_.trie = TokenTrie(normalized);
}

std::vector<TextPiece> AddedTokens::split(std::string_view text, bool normalized) const {
  const Matcher& matcher = normalized ? normalized_ : raw_;
  std::vector<TextPiece> pieces;
  std::size_t last_end = 0;
  std::size_t from = 0;
  while (const auto match = matcher.trie.find(text, from)) {
    from = match->end;
    const TokenId id = matcher.ids[match->index];
    const AddedToken& token = by_id_.at(id);
    if (split_special_ && special_contents_.contains(token.content)) continue;
    auto [begin, end, index] = *match;
    if (token.single_word && ((flags_before(text, begin) | flags_at(text, end)) & kWord)) continue;
    // White space that the token before has swallowed is not swallowed again.
    if (token.lstrip) begin = std::max(space_begin(text, begin), last_end);
    if (token.rstrip) end = space_end(text, end);
    if (last_end < begin) pieces.push_back({std::nullopt, text.substr(last_end, begin - last_end)});
    if (begin < end) pieces.push_back({id, text.substr(begin, end - begin)});
    last_end = end;
  }
  if (last_end != text.size()) pieces.push_back({std::nullopt, text.substr(last_end)});
  return pieces;
}

std::optional<TokenId> AddedTokens::find(std::string_view content) const {
  const auto found = ids_.find(std::string(content));
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

const AddedToken* AddedTokens::token(TokenId id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &found->second;
}

}  // namespace laurel::tokenizer
