// What lies beside a checkpoint's config and weights.
#pragma once

#include <array>

namespace laurel::model {

// Files of a base that a model made from it keeps: what describes the tokenizer, and the terms that
// a derived model inherits.
inline constexpr std::array kCompanionFiles = {"tokenizer.json",
                                               "tokenizer_config.json",
                                               "special_tokens_map.json",
                                               "added_tokens.json",
                                               "vocab.json",
                                               "merges.txt",
                                               "tokenizer.model",
                                               "chat_template.jinja",
                                               "LICENSE",
                                               "LICENSE.txt",
                                               "LICENSE.md",
                                               "USE_POLICY.md",
                                               "NOTICE",
                                               "NOTICE.txt"};

}  // namespace laurel::model
