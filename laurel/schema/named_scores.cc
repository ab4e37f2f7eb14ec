#include "laurel/schema/named_scores.h"

namespace laurel::schema {

Json named_scores_to_json(const NamedScores& scores) {
  Json json = Json::object();
  for (const auto& [name, score] : scores) json[name] = score;
  return json;
}

NamedScores read_named_scores(const JsonReader& reader, std::string_view key) {
  NamedScores scores;
  if (!reader.has(key)) return scores;
  const JsonReader members = reader.child(key);
  for (const auto& [name, unused] : members.object().items()) {
    if (const auto score = get_number(members.object(), name, members.where())) {
      scores.emplace_back(name, *score);
    }
  }
  return scores;
}

}  // namespace laurel::schema
