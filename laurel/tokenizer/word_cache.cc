#include "laurel/tokenizer/word_cache.h"

#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <cstring>

namespace laurel::tokenizer {

WordCache& WordCache::of_thread() {
  static thread_local WordCache cache;
  return cache;
}

std::uint64_t WordCache::new_key() {
  static std::atomic<std::uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

WordCache::Slot& WordCache::slot_of(std::uint64_t key, std::string_view word) {
  return slots_[XXH3_64bits_withSeed(word.data(), word.size(), key) % kNumSlots];
}

bool WordCache::find(std::uint64_t key, std::string_view word, bool as_bytes,
                     std::vector<TokenId>& ids) {
  if (word.size() > kMaxBytes) return false;
  const std::uint64_t full_key = key * 2 + as_bytes;
  const Slot& slot = slot_of(full_key, word);
  if (slot.key != full_key || slot.num_bytes != word.size()) return false;
  if (std::memcmp(slot.bytes.data(), word.data(), word.size()) != 0) return false;
  ids.insert(ids.end(), slot.ids.begin(), slot.ids.begin() + slot.num_ids);
  return true;
}

void WordCache::insert(std::uint64_t key, std::string_view word, bool as_bytes,
                       const std::vector<TokenId>& ids, std::size_t start) {
  if (word.size() > kMaxBytes || ids.size() - start > kMaxIds) return;
  const std::uint64_t full_key = key * 2 + as_bytes;
  Slot& slot = slot_of(full_key, word);
  slot.key = full_key;
  slot.num_bytes = static_cast<std::uint8_t>(word.size());
  slot.num_ids = static_cast<std::uint8_t>(ids.size() - start);
  std::copy(word.begin(), word.end(), slot.bytes.begin());
  std::copy(ids.begin() + static_cast<std::ptrdiff_t>(start), ids.end(), slot.ids.begin());
}

}  // namespace laurel::tokenizer
