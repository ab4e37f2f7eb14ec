#include <algorithm>
#include <cmath>
#include <set>

#include "laurel/report/model_card.h"

namespace laurel::report {
namespace {

using schema::CardRevision;
using schema::LicenseFacts;
using schema::ModelCard;

double one_decimal(double share) { return std::round(1000 * share) / 10; }

void add_license(Json& json, const LicenseFacts& facts) {
  if (facts.license.empty()) return;
  json["license"] = facts.license;
  if (!facts.license_name.empty()) json["license_name"] = facts.license_name;
  if (!facts.license_link.empty()) json["license_link"] = facts.license_link;
}

// The license that all revisions are under: the models' own, or that of every base. Empty when
// bases differ or one has none.
LicenseFacts common_license(const ModelCard& card) {
  if (!card.text.license.license.empty() || card.bases.empty()) return card.text.license;
  const LicenseFacts& first = card.bases.front().license;
  const bool same = std::all_of(card.bases.begin(), card.bases.end(), [&](const auto& base) {
    return base.license.license == first.license && base.license.license_name == first.license_name;
  });
  return same ? first : LicenseFacts{};
}

Json hub_names(const ModelCard& card) {
  Json names = Json::array();
  for (const auto& base : card.bases) {
    if (!base.hub_name.empty()) names.push_back(base.hub_name);
  }
  return names;
}

Json datasets(const ModelCard& card) {
  Json names = Json::array();
  std::set<std::string> seen;
  for (const auto& mix : card.mixes) {
    for (const std::string& name : mix.datasets) {
      if (seen.insert(name).second) names.push_back(name);
    }
  }
  return names;
}

Json tags(const ModelCard& card) {
  Json names = {"reward-model", "text-classification", "laurel"};
  for (const std::string& tag : card.text.tags) names.push_back(tag);
  return names;
}

// The figures of main, as the hub's evaluation results.
Json model_index(const ModelCard& card, const CardRevision& main) {
  const auto metric = [](const std::string& name, double share) {
    return Json{{"type", "accuracy"}, {"name", name}, {"value", one_decimal(share)}};
  };
  Json metrics = Json::array({metric("Overall", *main.overall)});
  for (const auto& [name, share] : main.subsets) metrics.push_back(metric(name, share));
  const auto& benchmark = card.benchmark;
  const std::string type = benchmark.dataset.empty() ? benchmark.name : benchmark.dataset;
  const std::string name = card.repo_id.substr(card.repo_id.find('/') + 1);
  Json result;
  result["task"] = {{"type", "text-classification"}, {"name", "Reward modeling"}};
  result["dataset"] = {{"type", type}, {"name", benchmark.title}};
  result["metrics"] = std::move(metrics);
  Json entry = {{"name", name}, {"results", Json::array({std::move(result)})}};
  return Json::array({std::move(entry)});
}

}  // namespace

Json card_front_matter(const ModelCard& card) {
  Json json = Json::object();
  if (!card.text.language.empty()) json["language"] = card.text.language;
  add_license(json, common_license(card));
  const CardRevision& main = card.revisions.front();
  json["library_name"] = main.is_adapter ? "peft" : "transformers";
  json["pipeline_tag"] = "text-classification";
  if (Json names = hub_names(card); !names.empty()) json["base_model"] = std::move(names);
  if (main.is_adapter) json["base_model_relation"] = "adapter";
  if (Json names = datasets(card); !names.empty()) json["datasets"] = std::move(names);
  json["tags"] = tags(card);
  if (main.overall) json["model-index"] = model_index(card, main);
  return json;
}

}  // namespace laurel::report
