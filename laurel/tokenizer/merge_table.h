// (left id, right id) → (rank, merged id): an open-addressing table with one cache line access per
// look-up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "laurel/tokenizer/tokenizer.h"

namespace laurel::tokenizer {

struct MergeRule {
  std::uint32_t rank = kNoRank;
  TokenId id = -1;

  static constexpr std::uint32_t kNoRank = UINT32_MAX;
  explicit operator bool() const { return rank != kNoRank; }
};

class MergeTable {
 public:
  MergeTable() = default;
  explicit MergeTable(std::size_t num_merges);
  // A pair seen before gets the new rule, as in the reference.
  void set(TokenId left, TokenId right, MergeRule rule);

  // A rule without rank if the pair does not merge.
  MergeRule find(TokenId left, TokenId right) const {
    const std::uint64_t key = key_of(left, right);
    for (std::size_t slot = slot_of(key);; slot = (slot + 1) & mask_) {
      if (slots_[slot].key == key) return slots_[slot].rule;
      if (slots_[slot].key == kFree) return {};
    }
  }

 private:
  struct Slot {
    std::uint64_t key = kFree;
    MergeRule rule;
  };
  static constexpr std::uint64_t kFree = UINT64_MAX;  // ids are not negative

  static std::uint64_t key_of(TokenId left, TokenId right) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
           static_cast<std::uint32_t>(right);
  }
  std::size_t slot_of(std::uint64_t key) const {
    const std::uint64_t mixed = (key ^ (key >> 29)) * 0x9e3779b97f4a7c15u;
    return static_cast<std::size_t>(mixed >> 32) & mask_;
  }

  std::vector<Slot> slots_{1};
  std::size_t mask_ = 0;
};

}  // namespace laurel::tokenizer
