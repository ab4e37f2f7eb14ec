// A small cache of pre-tokens and their ids, one per thread, so that no lock is needed.
// Direct-mapped: a new word takes the place of the old one in its slot; its memory is bounded
// whatever the text.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "laurel/tokenizer/tokenizer.h"

namespace laurel::tokenizer {

class WordCache {
 public:
  static WordCache& of_thread();
  // Tells the words of one model from those of any other, also of one that is gone.
  static std::uint64_t new_key();

  // Appends the ids and returns true if the word is there.
  bool find(std::uint64_t key, std::string_view word, bool as_bytes, std::vector<TokenId>& ids);
  // Remembers ids[start…] as those of the word, if both are short.
  void insert(std::uint64_t key, std::string_view word, bool as_bytes,
              const std::vector<TokenId>& ids, std::size_t start);

 private:
  static constexpr std::size_t kNumSlots = 8192;
  static constexpr std::size_t kMaxBytes = 22;
  static constexpr std::size_t kMaxIds = 8;

  struct Slot {
    std::uint64_t key = 0;  // model key, twice, plus as_bytes
    std::uint8_t num_bytes = 0;
    std::uint8_t num_ids = 0;
    std::array<char, kMaxBytes> bytes{};
    std::array<TokenId, kMaxIds> ids{};
  };
  static_assert(sizeof(Slot) == 64);

  Slot& slot_of(std::uint64_t key, std::string_view word);

  std::vector<Slot> slots_{kNumSlots};
};

}  // namespace laurel::tokenizer
