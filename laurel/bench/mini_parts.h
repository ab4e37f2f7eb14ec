// Pieces of the Laurel Mini generator. Each maker fills prompt, answers and category of one row.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "laurel/base/random.h"
#include "laurel/bench/mini.h"

namespace laurel::bench {

// An index into a table of `size` entries: the last of each four is for the test split, the others
// for training, so that no entity occurs in both. Precondition: size ≥ 4.
std::size_t pick_index(Random& random, MiniSplit split, std::size_t size);

template <typename T>
const T& pick_entry(Random& random, MiniSplit split, const std::vector<T>& table) {
  return table[pick_index(random, split, table.size())];
}

// Replaces each "{name}" by its value.
std::string fill(std::string_view pattern,
                 const std::vector<std::pair<std::string_view, std::string>>& values);

std::string capitalized(std::string text);

// The answer with, at random, a short opening or closing phrase around it. Right and wrong answers
// get theirs from the same distribution, so that style and length say nothing.
std::string dress(Random& random, const std::string& answer);

MiniRow make_factuality(Random& random, MiniSplit split);
MiniRow make_precise_if(Random& random, MiniSplit split);
MiniRow make_math(Random& random, MiniSplit split);
MiniRow make_safety(Random& random, MiniSplit split);
MiniRow make_focus(Random& random, MiniSplit split);
// The row with several right answers and its reference with one. `number` is N of their ids.
std::pair<MiniRow, MiniRow> make_ties(Random& random, MiniSplit split, std::int64_t number);

}  // namespace laurel::bench
