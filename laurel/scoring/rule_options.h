// The rule's part of a scorer's options.
#pragma once

#include "laurel/chat/encoder.h"
#include "laurel/scoring/scorer.h"

namespace laurel::scoring {

// Throws UserError for a value that is none of those the option knows.
chat::RuleOptions rule_options(const ScorerOptions& options);

}  // namespace laurel::scoring
