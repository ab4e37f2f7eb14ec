// Rows of scoring input: JSON objects in the forms that people have, as the conversations to score.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "laurel/base/json.h"
#include "laurel/schema/conversation.h"

namespace laurel::schema {

// The conversations of one row, in the order in which their rewards are reported.
struct InputRow {
  Json id;  // the row's "id", null if it has none
  std::vector<Conversation> conversations;
};

// Accepts one of
//   {"messages": […]}                                one conversation
//   {"prompt": P, "completions": [C, …]}             one per completion
//   {"prompt": P, "response": C}                     one
//   {"chosen": C, "rejected": C, "prompt"?: P}       two, chosen first
//   {"text": "…"}                                    already rendered
//   {"input_ids": [n, …]}                            scored as given
// P and C are strings (one user, one assistant message) or message lists. A message list in
// "chosen" or "rejected" may hold the whole conversation: a prompt is put in front only where the
// list does not already begin with it. Strings in "chosen" and "rejected" without a prompt are
// rendered text. Throws UserError beginning with `where`.
InputRow parse_input_row(const Json& row, std::string_view where);

// The conversations of a preference pair, by the same rules.
Conversation join_completion(const Json* prompt, const Json& completion, std::string_view where);

}  // namespace laurel::schema
