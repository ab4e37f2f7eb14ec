// What every scoring run leaves beside its results, and tells on the terminal.
#pragma once

#include <CLI/App.hpp>

#include "laurel/base/json.h"
#include "laurel/scoring/scorer.h"

namespace laurel::cli {

// Version, model facts and hash, rule, options of the command, token counts and speed.
Json run_manifest(const CLI::App& command, const scoring::Scorer& scorer);

// One line on standard error if the weights are streamed because they do not fit into memory.
void print_streaming(const scoring::Scorer& scorer, const scoring::ScorerOptions& options);

// A few lines on standard error: rule, tokens per second, tokens saved by sharing, peak memory,
// and what streaming weights took.
void print_statistics(const scoring::Scorer& scorer);

// Largest resident set of this process so far, in bytes.
std::int64_t peak_memory_bytes();

}  // namespace laurel::cli
