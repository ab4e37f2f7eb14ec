#include "laurel/schema/benchmark_result.h"

namespace laurel::schema {
namespace {

Json interval_json(const Figure& figure) {
  if (!figure.interval) return Json();
  return Json::array({figure.interval->low, figure.interval->high});
}

Json figure_json(const Figure& figure) {
  return {{"score", figure.score},
          {"count", figure.num_examples},
          {"interval_95", interval_json(figure)}};
}

void add_groups(const BenchmarkResult& result, Json& json) {
  for (const FigureGroup& group : result.groups) {
    Json figures = Json::object();
    for (const Figure& figure : group.figures) figures[figure.name] = figure_json(figure);
    json[group.key] = std::move(figures);
  }
}

// What follows the figures by name in a summary.
Json further_members(const BenchmarkResult& result) {
  Json json;
  json["num_examples"] = result.examples.size();
  json["num_ties"] = result.num_ties;
  add_groups(result, json);
  Json measures = Json::object();
  for (const Measure& measure : result.measures) measures[measure.key] = measure.value;
  json["measures"] = std::move(measures);
  if (result.matrix) {
    json["style_matrix"] = {{"styles", result.matrix->styles}, {"share", result.matrix->share}};
  }
  json["rule"] = result.rule;
  json["model_facts"] = to_json(result.model);
  json["run"] = result.run ? to_json(*result.run) : Json();
  return json;
}

}  // namespace

Json to_json(const ModelInfo& model) {
  Json json;
  json["name"] = model.name;
  json["adapter"] = model.adapter.empty() ? Json() : Json(model.adapter);
  json["architecture"] = model.architecture;
  json["revision"] = model.revision.empty() ? Json() : Json(model.revision);
  json["hash"] = model.hash;
  json["tokenizer_hash"] = model.tokenizer_hash;
  json["num_parameters"] = model.num_parameters;
  json["dtype"] = model.dtype;
  json["isa"] = model.isa;
  json["num_threads"] = model.num_threads;
  return json;
}

Json to_json(const RunFacts& run) {
  return {{"num_conversations", run.num_conversations},
          {"sequence_tokens", run.sequence_tokens},
          {"physical_tokens", run.physical_tokens},
          {"seconds", run.seconds}};
}

Json to_json(const ScoredExample& example) {
  Json json;
  json["id"] = example.id;
  json["subset"] = example.subset;
  json["num_correct"] = example.num_correct;
  json["scores"] = example.scores;
  json["results"] = example.result;
  if (!example.num_tokens.empty()) json["num_tokens"] = example.num_tokens;
  if (example.num_truncated > 0) json["num_truncated"] = example.num_truncated;
  return json;
}

Json summary_json(const BenchmarkResult& result) {
  const bool complete = result.missing.empty();
  Json json;
  json["benchmark"] = result.benchmark;
  json["model"] = result.model.name;
  json["overall"] = complete ? Json(result.overall.score) : Json();
  json["overall_interval_95"] = complete ? interval_json(result.overall) : Json();
  json["overall_note"] = result.overall_note;
  if (!complete) {
    json["missing"] = result.missing;
    json["mean_of_present"] = result.overall.score;
    json["mean_of_present_interval_95"] = interval_json(result.overall);
  }
  const Json rest = further_members(result);
  for (const FigureGroup& group : result.groups) {
    for (const Figure& figure : group.figures) {
      const bool taken = json.contains(figure.name) || rest.contains(figure.name);
      if (!taken) json[figure.name] = figure.score;
    }
  }
  json.update(rest);
  return json;
}

}  // namespace laurel::schema
