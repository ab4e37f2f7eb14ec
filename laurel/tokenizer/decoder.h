// The "decoder" section of tokenizer.json: vocabulary strings → text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "laurel/base/json.h"

namespace laurel::tokenizer {

class Decoder {
 public:
  Decoder() = default;
  // Throws UserError naming a kind that is not supported.
  Decoder(const Json& section, const std::string& where);

  // Bytes that are not valid UTF-8 become U+FFFD.
  std::string decode(const std::vector<std::string_view>& tokens) const;

 private:
  bool byte_level_ = false;  // else the tokens, with spaces between them
};

}  // namespace laurel::tokenizer
