// Hand-written matchers for the split patterns of the byte-level families. Each equals its regular
// expression, matched leftmost with ordered alternatives by Oniguruma inside tokenizers 0.22.2, on
// every valid UTF-8 text, in linear time.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace laurel::tokenizer {

enum class SplitPattern {
  kGpt2,    // built into ByteLevel: 's|'t|… ?\p{L}+| ?\p{N}+|…
  kLlama3,  // (?i:'s|…)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|…
  kQwen2,   // as Llama 3 with \p{N}
};

// The pattern with this source text, if it is one of the known.
std::optional<SplitPattern> find_split_pattern(std::string_view regex);

// Length in bytes of the match at the start of `text`. The patterns match everywhere, so pieces are
// back to back. Preconditions: valid UTF-8, not empty.
std::size_t match_split(SplitPattern pattern, std::string_view text);

}  // namespace laurel::tokenizer
