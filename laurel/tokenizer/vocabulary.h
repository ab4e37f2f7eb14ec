// Token strings and their ids: one arena for the text, one open-addressing table, no allocation per
// token.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "laurel/tokenizer/tokenizer.h"

namespace laurel::tokenizer {

class Vocabulary {
 public:
  // Room for this many tokens; more may follow.
  void reserve(std::size_t num_tokens, std::size_t num_bytes);
  // A string seen before gets the new id, as in the reference.
  void set(std::string_view token, TokenId id);
  // Call once after the last set(): makes ids findable.
  void index_ids();

  std::optional<TokenId> find(std::string_view token) const;
  // The string of the id, after index_ids().
  std::optional<std::string_view> token(TokenId id) const;

  std::size_t size() const { return entries_.size(); }
  // -1 when empty.
  TokenId max_id() const;
  // No two strings share an id, after index_ids().
  bool unique_ids() const { return unique_ids_; }

 private:
  struct Entry {
    std::uint32_t offset;
    std::uint32_t size;
    TokenId id;
    std::uint32_t hash;
  };

  std::string_view text(const Entry& entry) const {
    return {arena_.data() + entry.offset, entry.size};
  }
  // The slot of the token, or the free slot where it belongs.
  std::size_t find_slot(std::string_view token, std::uint32_t hash) const;
  void grow(std::size_t num_slots);

  std::string arena_;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> slots_;  // entry index + 1; 0 is free; size is a power of two
  std::vector<std::uint32_t> by_id_;  // entry indexes, ordered by id
  bool unique_ids_ = true;
};

}  // namespace laurel::tokenizer
