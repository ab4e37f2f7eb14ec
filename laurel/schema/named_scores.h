// Figures by name, in the order of the file: {"Math": 0.5, …}.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "laurel/base/json_reader.h"

namespace laurel::schema {

using NamedScores = std::vector<std::pair<std::string, double>>;

// An object, empty for no scores.
Json named_scores_to_json(const NamedScores& scores);

// Those of member `key`; none where it is missing or null, and none for members that are null.
// Throws UserError for what is no object or no number.
NamedScores read_named_scores(const JsonReader& reader, std::string_view key);

}  // namespace laurel::schema
