// The options that every scoring command shares, declared once.
#pragma once

#include <CLI/App.hpp>

#include "laurel/scoring/scorer.h"

namespace laurel::cli {

// Each declares options that fill `options`, which must outlive the app.

// What decides the tokens: --model, --rule, --max-length, --truncation, --chat-template, --date.
void add_rule_options(CLI::App& command, scoring::ScorerOptions& options);
// These, and how to compute: --adapter, --dtype, --threads, --batch-tokens, --no-prefix-sharing,
// --stream-weights, --no-stream-weights.
void add_scorer_options(CLI::App& command, scoring::ScorerOptions& options);

}  // namespace laurel::cli
