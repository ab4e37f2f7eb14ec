#include "laurel/schema/model_card.h"

#include "laurel/base/error.h"

namespace laurel::schema {
namespace {

const std::vector<std::string> kLicenseKeys = {"license", "license_name", "license_link", "terms"};

std::vector<std::string> with_license_keys(std::vector<std::string> keys) {
  keys.insert(keys.end(), kLicenseKeys.begin(), kLicenseKeys.end());
  return keys;
}

LicenseFacts read_license(const JsonReader& reader) {
  LicenseFacts facts;
  reader.read("license", facts.license);
  reader.read("license_name", facts.license_name);
  reader.read("license_link", facts.license_link);
  reader.read("terms", facts.terms);
  return facts;
}

// Members that say nothing are left out.
void put(Json& json, const char* key, const std::string& text) {
  if (!text.empty()) json[key] = text;
}

void put(Json& json, const char* key, const std::vector<std::string>& texts) {
  if (!texts.empty()) json[key] = texts;
}

void put(Json& json, const LicenseFacts& facts) {
  put(json, "license", facts.license);
  put(json, "license_name", facts.license_name);
  put(json, "license_link", facts.license_link);
  put(json, "terms", facts.terms);
}

Json to_json(const CardBase& base) {
  Json json = {{"title", base.title}};
  put(json, "hub_name", base.hub_name);
  put(json, base.license);
  return json;
}

Json to_json(const CardMix& mix) {
  Json json = {{"title", mix.title}};
  put(json, "datasets", mix.datasets);
  put(json, mix.license);
  return json;
}

Json to_json(const CardText& text) {
  Json json = Json::object();
  put(json, "title", text.title);
  put(json, "summary", text.summary);
  put(json, "developed_by", text.developed_by);
  put(json, "contact", text.contact);
  put(json, "citation", text.citation);
  put(json, "language", text.language);
  put(json, "tags", text.tags);
  put(json, text.license);
  return json;
}

Json to_json(const CardBenchmark& benchmark) {
  Json json = Json::object();
  put(json, "benchmark", benchmark.name);
  put(json, "title", benchmark.title);
  put(json, "dataset", benchmark.dataset);
  return json;
}

Json to_json(const CardRevision& revision) {
  Json json;
  json["revision"] = revision.revision;
  json["run"] = revision.run;
  json["base"] = revision.base;
  json["mix"] = revision.mix;
  json["learning_rate"] = revision.learning_rate;
  json["num_epochs"] = revision.num_epochs;
  json["seed"] = revision.seed;
  json["adapter"] = revision.is_adapter;
  json["overall"] = revision.overall ? Json(*revision.overall) : Json();
  json["subsets"] = named_scores_to_json(revision.subsets);
  json["rows"] = revision.num_rows;
  json["steps"] = revision.num_steps;
  json["tokens"] = revision.num_tokens;
  json["training"] = revision.training;
  json["seconds"] = revision.seconds;
  json["num_threads"] = revision.num_threads;
  json["options"] = revision.options;
  return json;
}

CardRevision read_revision(const JsonReader& reader) {
  CardRevision revision;
  reader.read("revision", revision.revision);
  reader.read("run", revision.run);
  reader.read("base", revision.base);
  reader.read("mix", revision.mix);
  reader.read("learning_rate", revision.learning_rate);
  reader.read("num_epochs", revision.num_epochs);
  reader.read("seed", revision.seed);
  reader.read("adapter", revision.is_adapter);
  revision.overall = get_number(reader.object(), "overall", reader.where());
  revision.subsets = read_named_scores(reader, "subsets");
  reader.read("rows", revision.num_rows);
  reader.read("steps", revision.num_steps);
  reader.read("tokens", revision.num_tokens);
  reader.read("training", revision.training);
  reader.read("seconds", revision.seconds);
  reader.read("num_threads", revision.num_threads);
  if (reader.has("options")) revision.options = reader.child("options").object();
  return revision;
}

}  // namespace

std::vector<std::string> card_base_keys() { return with_license_keys({"title", "hub_name"}); }

std::vector<std::string> card_mix_keys() { return with_license_keys({"title", "datasets"}); }

std::vector<std::string> card_text_keys() {
  return with_license_keys(
      {"title", "summary", "developed_by", "contact", "citation", "language", "tags"});
}

std::vector<std::string> card_benchmark_keys() { return {"benchmark", "title", "dataset"}; }

CardBase read_card_base(std::string key, const JsonReader& reader) {
  CardBase base;
  reader.read("hub_name", base.hub_name);
  base.title = base.hub_name.empty() ? key : base.hub_name;
  reader.read("title", base.title);
  base.license = read_license(reader);
  base.key = std::move(key);
  return base;
}

CardMix read_card_mix(std::string key, const JsonReader& reader) {
  CardMix mix;
  mix.title = key;
  reader.read("title", mix.title);
  reader.read("datasets", mix.datasets);
  mix.license = read_license(reader);
  mix.key = std::move(key);
  return mix;
}

CardText read_card_text(const JsonReader& reader) {
  CardText text;
  reader.read("title", text.title);
  reader.read("summary", text.summary);
  reader.read("developed_by", text.developed_by);
  reader.read("contact", text.contact);
  reader.read("citation", text.citation);
  reader.read("language", text.language);
  reader.read("tags", text.tags);
  text.license = read_license(reader);
  return text;
}

CardBenchmark read_card_benchmark(const JsonReader& reader) {
  CardBenchmark benchmark;
  reader.read("benchmark", benchmark.name);
  benchmark.title = benchmark.name;
  reader.read("title", benchmark.title);
  reader.read("dataset", benchmark.dataset);
  return benchmark;
}

Json to_json(const ModelCard& card) {
  Json json;
  json["format"] = 1;
  json["repo_id"] = card.repo_id;
  json["laurel"] = card.laurel_version;
  json["card"] = to_json(card.text);
  json["evaluate"] = to_json(card.benchmark);
  json["bases"] = Json::object();
  for (const CardBase& base : card.bases) json["bases"][base.key] = to_json(base);
  json["mixes"] = Json::object();
  for (const CardMix& mix : card.mixes) json["mixes"][mix.key] = to_json(mix);
  json["revisions"] = Json::array();
  for (const CardRevision& revision : card.revisions)
    json["revisions"].push_back(to_json(revision));
  return json;
}

ModelCard model_card_from_json(const Json& json, std::string_view where) {
  const JsonReader reader(json, std::string(where));
  ModelCard card;
  reader.read("repo_id", card.repo_id);
  reader.read("laurel", card.laurel_version);
  if (reader.has("card")) card.text = read_card_text(reader.child("card"));
  if (reader.has("evaluate")) card.benchmark = read_card_benchmark(reader.child("evaluate"));
  if (reader.has("bases")) {
    const JsonReader bases = reader.child("bases");
    for (const auto& [key, unused] : bases.object().items()) {
      card.bases.push_back(read_card_base(key, bases.child(key)));
    }
  }
  if (reader.has("mixes")) {
    const JsonReader mixes = reader.child("mixes");
    for (const auto& [key, unused] : mixes.object().items()) {
      card.mixes.push_back(read_card_mix(key, mixes.child(key)));
    }
  }
  for (const JsonReader& revision : reader.children("revisions")) {
    card.revisions.push_back(read_revision(revision));
  }
  return card;
}

}  // namespace laurel::schema
