#include "laurel/bench/result_files.h"

#include <algorithm>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/base/hash.h"
#include "laurel/bench/bootstrap.h"
#include "laurel/bench/score_examples.h"

namespace laurel::bench {
namespace {

namespace fs = std::filesystem;
using schema::BenchmarkResult;
using schema::ScoredExample;

// "org/name" of a hub name; the last part of any other path.
fs::path file_stem(const std::string& model_name) {
  std::vector<std::string> parts;
  for (const fs::path& part : fs::path(model_name)) {
    if (part != "." && part != ".." && part != "/" && !part.empty()) parts.push_back(part.string());
  }
  if (parts.empty()) return "model";
  if (parts.size() == 2 && model_name == parts[0] + "/" + parts[1])
    return fs::path(parts[0]) / parts[1];
  return parts.back();
}

// As Python's json.dumps(value, indent=4) writes it.
void write_like_python(const fs::path& path, const Json& value) {
  fs::create_directories(path.parent_path());
  write_file(path, value.dump(4, ' ', true, Json::error_handler_t::replace));
}

std::string chat_template_name(const BenchmarkResult& result) {
  const bool none = result.rule.is_object() && result.rule.value("template_source", "?").empty();
  return none ? "none" : "tokenizer";
}

Json sorted(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  std::sort(keys.begin(), keys.end());
  Json result = Json::object();
  for (const std::string& key : keys) result[key] = object[key];
  return result;
}

void add_model(const BenchmarkResult& result, Json& json) {
  json["chat_template"] = chat_template_name(result);
  json["model"] = result.model.name;
  json["model_type"] = "Seq. Classifier";
}

Json eval_set(const BenchmarkResult& result) {
  Json json;
  for (const schema::FigureGroup& group : result.groups) {
    if (group.key != "subsets") continue;
    for (const schema::Figure& figure : group.figures) json[figure.name] = figure.score;
  }
  add_model(result, json);
  return sorted(json);
}

// One list per column. An empty text stands for "no template known": then the column is left out.
Json text_column(const std::vector<Example>& examples, const RenderText& render) {
  Json column = Json::array();
  for (const Example& example : examples) {
    Json texts = Json::array();
    for (std::size_t i = 0; i < example.conversations.size(); ++i) {
      std::string text = render ? render(example, i) : std::string();
      if (text.empty()) return Json();
      texts.push_back(std::move(text));
    }
    column.push_back(std::move(texts));
  }
  return column;
}

Json eval_set_scores_v2(const BenchmarkResult& result, const std::vector<Example>& examples,
                        const RenderText& render) {
  Json json;
  for (const char* key : {"id", "num_correct", "results", "scores", "subset"})
    json[key] = Json::array();
  for (const ScoredExample& example : result.examples) {
    json["id"].push_back(example.id);
    json["subset"].push_back(example.subset);
    json["num_correct"].push_back(example.num_correct);
    json["results"].push_back(example.result);
    Json scores = Json::array();
    for (const double score : example.scores) scores.push_back(Json::array({score}));
    json["scores"].push_back(std::move(scores));
  }
  if (Json texts = text_column(examples, render); !texts.is_null()) json["text"] = std::move(texts);
  add_model(result, json);
  return sorted(json);
}

Json eval_set_scores_v1(const BenchmarkResult& result, const std::vector<Example>& examples,
                        const RenderText& render) {
  Json json;
  for (const char* key : {"id", "results", "scores_chosen", "scores_rejected", "subset"})
    json[key] = Json::array();
  for (const ScoredExample& example : result.examples) {
    json["id"].push_back(example.id.substr(example.subset.size() + 1));
    json["subset"].push_back(example.subset);
    json["results"].push_back(example.result);
    json["scores_chosen"].push_back(Json::array({example.scores[0]}));
    json["scores_rejected"].push_back(Json::array({example.scores[1]}));
  }
  if (const Json texts = text_column(examples, render); !texts.is_null()) {
    for (const Json& pair : texts) {
      json["text_chosen"].push_back(pair[0]);
      json["text_rejected"].push_back(pair[1]);
    }
  }
  add_model(result, json);
  return sorted(json);
}

Json data_json(const std::string& path) {
  if (path == "-") return {{"path", path}, {"bytes", nullptr}, {"hash", nullptr}};
  const MappedFile file(path);
  Fingerprinter hash;
  hash.add(file.bytes());
  return {{"path", path}, {"bytes", file.bytes().size()}, {"hash", hash.digest()}};
}

Json manifest_json(const BenchmarkResult& result, const RunManifest& manifest) {
  Json json;
  json["command"] = "eval";
  json["laurel_version"] = manifest.laurel_version;
  json["benchmark"] = result.benchmark;
  json["options"] = manifest.options;
  json["data"] = Json::array();
  for (const std::string& path : manifest.data_files) json["data"].push_back(data_json(path));
  json["scores_file"] = manifest.scores_file.empty() ? Json() : data_json(manifest.scores_file);
  json["model"] = to_json(result.model);
  json["rule"] = result.rule;
  json["rule_text"] = result.rule_text;
  json["bootstrap_replicates"] = kBootstrapReplicates;
  json["run"] = result.run ? to_json(*result.run) : Json();
  return json;
}

}  // namespace

void write_result_files(const fs::path& directory, const BenchmarkResult& result,
                        const std::vector<Example>& examples, const RenderText& render,
                        const RunManifest& manifest) {
  AtomicFile scores(directory / "scores.jsonl");
  for (const ScoredExample& example : result.examples)
    scores.write(to_line(to_json(example)) + "\n");
  scores.commit();
  write_file(directory / "summary.json", to_text(summary_json(result)));
  const fs::path stem = file_stem(result.model.name);
  const bool is_v2 = result.benchmark == "reward-bench-2";
  if (is_v2 || result.benchmark == "reward-bench") {
    const std::string name = stem.string() + ".json";
    write_like_python(directory / "eval-set" / name, eval_set(result));
    write_like_python(directory / "eval-set-scores" / name,
                      is_v2 ? eval_set_scores_v2(result, examples, render)
                            : eval_set_scores_v1(result, examples, render));
  }
  write_file(directory / "manifest.json", to_text(manifest_json(result, manifest)));
}

void adopt_manifest(const std::string& scores_file, BenchmarkResult& result) {
  const fs::path path = fs::path(scores_file).parent_path() / "manifest.json";
  if (fs::path(scores_file).filename() != "scores.jsonl" || !fs::is_regular_file(path)) {
    result.model.name = stored_model_name(scores_file);
    return;
  }
  const Json manifest = read_json_file(path);
  const std::string where = path.string();
  if (get_string(manifest, "command", where) != "eval") return;
  result.rule_text = get_string(manifest, "rule_text", where).value_or("");
  if (manifest.contains("rule") && manifest["rule"].is_object()) result.rule = manifest["rule"];
  if (!manifest.contains("model") || !manifest["model"].is_object()) return;
  const Json& model = manifest["model"];
  const auto text = [&](const char* key) {
    return get_string(model, key, where + ": model").value_or("");
  };
  result.model = {text("name"), text("adapter"),        text("architecture"), text("revision"),
                  text("hash"), text("tokenizer_hash"), text("dtype"),        text("isa")};
  result.model.num_parameters = get_int(model, "num_parameters", where + ": model").value_or(0);
  result.model.num_threads =
      static_cast<int>(get_int(model, "num_threads", where + ": model").value_or(0));
}

}  // namespace laurel::bench
