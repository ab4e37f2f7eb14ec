// The rule's part of a scorer's options.
#pragma once

#include "laurel/chat/encoder.h"
#include "laurel/model/config.h"
#include "laurel/scoring/scorer.h"

namespace laurel::scoring {

// Throws UserError for a value that is none of those the option knows.
chat::RuleOptions rule_options(const ScorerOptions& options);

// The same for a checkpoint with this config: int8 packs are computed in int8. Throws UserError if
// the options ask for another type.
chat::RuleOptions rule_options(const ScorerOptions& options, const model::ModelConfig& config);

}  // namespace laurel::scoring
