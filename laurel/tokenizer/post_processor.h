// The "post_processor" section of tokenizer.json, for one sequence: what comes before and behind
// its ids.
#pragma once

#include <string>
#include <vector>

#include "laurel/base/json.h"
#include "laurel/tokenizer/tokenizer.h"

namespace laurel::tokenizer {

class PostProcessor {
 public:
  // The sequence alone.
  PostProcessor() : parts_{Part{}} {}
  // Throws UserError naming a kind that is not supported.
  PostProcessor(const Json& section, const std::string& where);
  // The sequence between these.
  PostProcessor(std::vector<TokenId> before, std::vector<TokenId> behind);

  std::vector<TokenId> process(std::vector<TokenId> ids, bool add_special_tokens) const;

 private:
  struct Part {
    bool is_sequence = true;
    std::vector<TokenId> special;
  };

  void read(const Json& section, const std::string& where);
  void read_template(const Json& section, const std::string& where);

  std::vector<Part> parts_;
};

}  // namespace laurel::tokenizer
