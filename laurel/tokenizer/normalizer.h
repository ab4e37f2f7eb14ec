// The "normalizer" section of tokenizer.json: text → text before it is split.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "laurel/base/json.h"

namespace laurel::tokenizer {

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  // Precondition: valid UTF-8, which the result is too. Throws UserError when a regular expression
  // gives up.
  virtual std::string normalize(std::string_view text) const = 0;
};

// Null for JSON null. Throws UserError naming a kind that is not supported.
std::unique_ptr<Normalizer> make_normalizer(const Json& section, const std::string& where);

}  // namespace laurel::tokenizer
