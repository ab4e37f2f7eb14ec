// A row of preference data: which of several completions of a prompt is better, in any form that
// people have.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "laurel/base/json.h"
#include "laurel/schema/conversation.h"

namespace laurel::data {

struct ReaderOptions {
  // Names of a row's members where they differ from these.
  std::string prompt_key = "prompt";
  std::string chosen_key = "chosen";
  std::string rejected_key = "rejected";
  // Strings are rendered text (prompt and answer put together, the eos token appended), as TRL
  // reads them, not the turns of a conversation.
  bool strings_are_text = false;
  bool skip_bad_rows = false;  // count rows that cannot be read instead of stopping
};

struct PreferenceRow {
  std::string form;  // for people: "implicit prompt, messages"
  // [completions] whole conversations, best first. All of one kind: messages, text or token ids.
  std::vector<schema::Conversation> conversations;
  bool tie = false;  // the row itself says that two of them are equally good
  std::optional<double> margin;
  // What the template sees besides the messages: tools, chat_template_kwargs.
  Json template_variables = Json::object();
  Json id;
};

// Accepts (docs/data.md has an example of each)
//   {"chosen", "rejected", "prompt"?, "system"?}      strings or message lists; "input" for
//   "prompt"
//   {"chosen_ids", "rejected_ids"}                    and its older names
//   {"context", "completions": [{"rank", "completion"}]}
//   {"conversations": [{"from", "value"}], "chosen": {"from", "value"}, "rejected": {…}}
//   {"prompt", "response_a", "response_b", "winner_model_a", "winner_model_b", "winner_tie"}
// with "margin", "tools" and "chat_template_kwargs" beside the first and the fourth. Throws
// UserError beginning with `where`; for rows that hold no comparison (unpaired, stepwise) it says
// so.
PreferenceRow parse_preference_row(const Json& row, const ReaderOptions& options,
                                   std::string_view where);

// Every key that parse_preference_row() looks at.
std::vector<std::string> preference_columns(const ReaderOptions& options);

// The row in the first, second or third form, with `source` beside it: parse_preference_row() of it
// gives the same conversations.
Json to_json(const PreferenceRow& row, std::string_view source);

}  // namespace laurel::data
