// What every scoring run leaves beside its results, and tells on the terminal.
#pragma once

#include <CLI/App.hpp>

#include "laurel/base/json.h"
#include "laurel/scoring/scorer.h"

namespace laurel::cli {

// Version, model facts and hash, rule, options of the command, token counts and speed.
Json run_manifest(const CLI::App& command, const scoring::Scorer& scorer);

// A few lines on standard error: rule, tokens per second, tokens saved by sharing, peak memory.
void print_statistics(const scoring::Scorer& scorer);

// Largest resident set of this process so far, in bytes.
std::int64_t peak_memory_bytes();

}  // namespace laurel::cli
