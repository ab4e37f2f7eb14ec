// What becomes of the matches of a Split's pattern and of the text between them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace laurel::tokenizer {

enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

SplitBehavior parse_behavior(std::string_view name, const std::string& where);

struct Span {
  std::size_t begin;
  std::size_t end;
  bool is_match;
};

// Turns spans that cover a text in order into its pieces.
void apply_behavior(SplitBehavior behavior, std::vector<Span>& spans);

}  // namespace laurel::tokenizer
