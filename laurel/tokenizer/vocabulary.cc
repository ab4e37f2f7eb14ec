#include "laurel/tokenizer/vocabulary.h"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <numeric>

#include "laurel/base/checked.h"

namespace laurel::tokenizer {
namespace {

std::uint32_t hash_of(std::string_view token) {
  return static_cast<std::uint32_t>(XXH3_64bits(token.data(), token.size()));
}

}  // namespace

void Vocabulary::reserve(std::size_t num_tokens, std::size_t num_bytes) {
  arena_.reserve(num_bytes);
  entries_.reserve(num_tokens);
  grow(std::bit_ceil(num_tokens * 2 + 16));
}

void Vocabulary::set(std::string_view token, TokenId id) {
  if (slots_.size() < (entries_.size() + 1) * 2) grow(std::max<std::size_t>(64, slots_.size() * 2));
  const std::uint32_t hash = hash_of(token);
  const std::size_t slot = find_slot(token, hash);
  if (slots_[slot] != 0) {
    entries_[slots_[slot] - 1].id = id;
    return;
  }
  entries_.push_back({checked_cast<std::uint32_t>(arena_.size(), "vocabulary"),
                      checked_cast<std::uint32_t>(token.size(), "vocabulary"), id, hash});
  arena_ += token;
  slots_[slot] = static_cast<std::uint32_t>(entries_.size());
}

std::size_t Vocabulary::find_slot(std::string_view token, std::uint32_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t slot = hash & mask;; slot = (slot + 1) & mask) {
    if (slots_[slot] == 0) return slot;
    const Entry& entry = entries_[slots_[slot] - 1];
    if (entry.hash == hash && text(entry) == token) return slot;
  }
}

void Vocabulary::grow(std::size_t num_slots) {
  slots_.assign(num_slots, 0);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    std::size_t slot = entries_[i].hash & (num_slots - 1);
    while (slots_[slot] != 0) slot = (slot + 1) & (num_slots - 1);
    slots_[slot] = static_cast<std::uint32_t>(i + 1);
  }
}

void Vocabulary::index_ids() {
  by_id_.resize(entries_.size());
  std::iota(by_id_.begin(), by_id_.end(), 0u);
  const auto by_id = [&](std::uint32_t a, std::uint32_t b) {
    return entries_[a].id < entries_[b].id;
  };
  // Files usually list tokens by id already.
  if (!std::is_sorted(by_id_.begin(), by_id_.end(), by_id))
    std::stable_sort(by_id_.begin(), by_id_.end(), by_id);
  unique_ids_ =
      std::adjacent_find(by_id_.begin(), by_id_.end(), [&](std::uint32_t a, std::uint32_t b) {
        return entries_[a].id == entries_[b].id;
      }) == by_id_.end();
}

std::optional<TokenId> Vocabulary::find(std::string_view token) const {
  if (entries_.empty()) return std::nullopt;
  const std::size_t slot = find_slot(token, hash_of(token));
  if (slots_[slot] == 0) return std::nullopt;
  return entries_[slots_[slot] - 1].id;
}

std::optional<std::string_view> Vocabulary::token(TokenId id) const {
  const auto found = std::lower_bound(
      by_id_.begin(), by_id_.end(), id,
      [&](std::uint32_t entry, TokenId value) { return entries_[entry].id < value; });
  if (found == by_id_.end() || entries_[*found].id != id) return std::nullopt;
  return text(entries_[*found]);
}

TokenId Vocabulary::max_id() const { return by_id_.empty() ? -1 : entries_[by_id_.back()].id; }

}  // namespace laurel::tokenizer
