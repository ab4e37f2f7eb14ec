#include "laurel/tokenizer/merge_table.h"

#include <bit>

namespace laurel::tokenizer {

MergeTable::MergeTable(std::size_t num_merges)
    : slots_(std::bit_ceil(num_merges + num_merges / 2 + 2)), mask_(slots_.size() - 1) {}

void MergeTable::set(TokenId left, TokenId right, MergeRule rule) {
  const std::uint64_t key = key_of(left, right);
  std::size_t slot = slot_of(key);
  while (slots_[slot].key != kFree && slots_[slot].key != key) slot = (slot + 1) & mask_;
  slots_[slot] = {key, rule};
}

}  // namespace laurel::tokenizer
