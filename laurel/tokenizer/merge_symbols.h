// The merge loop of byte-pair encoding.
#pragma once

#include <cstddef>
#include <vector>

#include "laurel/tokenizer/merge_table.h"

namespace laurel::tokenizer {

// Merges ids[start…] in place until no adjacent pair merges: always the pair of lowest (rank,
// position). O(n log n). unique_ids: no two strings of the vocabulary share an id, which allows a
// quicker way for short words.
void merge_symbols(const MergeTable& merges, bool unique_ids, std::vector<TokenId>& ids,
                   std::size_t start);

}  // namespace laurel::tokenizer
