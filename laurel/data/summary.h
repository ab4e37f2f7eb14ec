// What a mix became, in numbers: data_summary.json, and the same for people.
#pragma once

#include <string>
#include <vector>

#include "laurel/base/json.h"
#include "laurel/chat/encoder.h"
#include "laurel/data/mix.h"
#include "laurel/data/prepare_row.h"
#include "laurel/data/read_source.h"
#include "laurel/data/training_set.h"

namespace laurel::data {

// {"name", "split", "amount", "files", "rows", "picked", "read", "kept", "bad", "dropped": {reason:
// rows}, "prompts_differ", "margins", "forms": {form: rows}, "bad_rows", "refused", "contaminated"}
Json counts_json(const MixEntry& entry, const std::vector<std::filesystem::path>& files,
                 const RowCounts& counts);

// {"examples", "sequences", "tokens", "computed_tokens", "shared", "completions_per_example",
// "lengths": {"sequence", "shared_prefix", "completion"}, "histogram", "filters", "tokenizer",
// "template", "sources": counts with examples and tokens of each}. `counts`: [sources].
Json summarize(const TrainingSet& set, const std::vector<Json>& counts,
               const FilterOptions& filters, const chat::Encoder& encoder);

// Tokens of an example's sequences when what they share is computed once.
std::int64_t computed_tokens(const TrainingExample& example);

// A page of text.
std::string summary_text(const Json& summary);
// A paragraph for each source's counts.
std::string sources_text(const Json& sources);

}  // namespace laurel::data
