// README.md of a repository of reward models: the hub's front matter and the text of the card. Only
// what the card's data say is said: a license that is not given is named as missing.
#pragma once

#include <string>

#include "laurel/schema/model_card.h"

namespace laurel::report {

// The whole file. Precondition: at least one revision.
std::string model_card(const schema::ModelCard& card);

// What stands between its "---" lines, as the hub names the keys. Scores are percentages with one
// decimal.
Json card_front_matter(const schema::ModelCard& card);

// The table of revisions in Markdown: Revision, [Base Model,] Training Data, Learning Rate, Num
// Epochs, [Seed,] the benchmark's score and its parts; the columns in brackets only where they
// differ.
std::string revision_table(const schema::ModelCard& card);

// Text inside a Markdown line or table cell, with what Markdown or HTML would act on escaped.
std::string escape_markdown(std::string_view text);

}  // namespace laurel::report
