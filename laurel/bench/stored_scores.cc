#include <cmath>
#include <filesystem>
#include <optional>
#include <unordered_map>

#include "laurel/base/error.h"
#include "laurel/bench/score_examples.h"
#include "laurel/formats/line_reader.h"

namespace laurel::bench {
namespace {

struct Stored {
  std::string where;
  std::vector<std::optional<double>> scores;  // nullopt: null, NaN or infinite in the file
};
using StoredById = std::unordered_map<std::string, Stored>;

// Python writes NaN, Infinity and -Infinity into JSON. They become null, so that the error can name
// the example.
std::string without_python_constants(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  bool in_string = false;
  for (std::size_t i = 0; i < text.size();) {
    const std::string_view rest = text.substr(i);
    std::size_t skipped = 0;
    if (!in_string) {
      for (const std::string_view name : {"NaN", "Infinity", "-Infinity"}) {
        if (rest.starts_with(name)) skipped = name.size();
      }
    }
    if (skipped > 0) {
      result += "null";
      i += skipped;
      continue;
    }
    if (text[i] == '"') in_string = !in_string;
    if (in_string && text[i] == '\\' && i + 1 < text.size()) result += text[i++];
    result += text[i++];
  }
  return result;
}

std::string id_text(const Json& id, const std::string& where) {
  if (id.is_string()) return id.get<std::string>();
  if (id.is_number_integer()) return id.dump();
  throw UserError("{}: key \"id\": expected a string or an integer, got {}", where, id.type_name());
}

// A number, or a list of one number.
std::optional<double> score_value(const Json& score, const std::string& where) {
  const Json& value = score.is_array() && score.size() == 1 ? score[0] : score;
  if (value.is_null()) return std::nullopt;
  if (!value.is_number())
    throw UserError("{}: expected a number for each score, got {}", where, value.type_name());
  const double number = value.get<double>();
  return std::isfinite(number) ? std::optional(number) : std::nullopt;
}

std::vector<std::optional<double>> score_values(const Json& scores, const std::string& where) {
  if (!scores.is_array())
    throw UserError("{}: key \"scores\": expected a list, got {}", where, scores.type_name());
  std::vector<std::optional<double>> values;
  for (const Json& score : scores) values.push_back(score_value(score, where));
  return values;
}

void insert(StoredById& stored, const std::string& id, Stored entry) {
  const std::string where = entry.where;
  if (!stored.emplace(id, std::move(entry)).second)
    throw UserError("{}: scores of id \"{}\" given twice", where, id);
}

const Json& column(const Json& columns, const std::string& key, std::size_t size,
                   const std::string& path) {
  const auto found = columns.find(key);
  if (found == columns.end() || !found->is_array())
    throw UserError("{}: column \"{}\" is missing", path, key);
  if (found->size() != size) {
    throw UserError("{}: column \"{}\": expected {} entries like column \"id\", got {}", path, key,
                    size, found->size());
  }
  return *found;
}

// The scores file of reward-bench's runners. RewardBench 1 has pairs, whose ids are unique only
// within a subset.
StoredById read_columns(const Json& columns, const std::string& path) {
  StoredById stored;
  const std::size_t size = columns["id"].size();
  const bool pairs = !columns.contains("scores");
  const Json* subsets = pairs ? &column(columns, "subset", size, path) : nullptr;
  const Json& first = column(columns, pairs ? "scores_chosen" : "scores", size, path);
  const Json* second = pairs ? &column(columns, "scores_rejected", size, path) : nullptr;
  for (std::size_t i = 0; i < size; ++i) {
    Stored entry;
    entry.where = fmt::format("{}: entry {}", path, i + 1);
    std::string id = id_text(columns["id"][i], entry.where);
    if (pairs) {
      id = id_text((*subsets)[i], entry.where) + ":" + id;
      entry.scores = {score_value(first[i], entry.where), score_value((*second)[i], entry.where)};
    } else {
      entry.scores = score_values(first[i], entry.where);
    }
    insert(stored, id, std::move(entry));
  }
  return stored;
}

StoredById read_lines(const std::string& text, const std::string& path) {
  StoredById stored;
  std::int64_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    Stored entry;
    entry.where = fmt::format("{}:{}", path, number);
    const Json row = parse_json(line, entry.where);
    if (!row.is_object() || !row.contains("id") || !row.contains("scores")) {
      throw UserError("{}: expected an object with \"id\" and \"scores\"", entry.where);
    }
    entry.scores = score_values(row["scores"], entry.where);
    insert(stored, id_text(row["id"], entry.where), std::move(entry));
  }
  return stored;
}

// One JSON object over the whole text whose "id" is a list; nullopt for anything else.
std::optional<Json> as_columns(const std::string& text) {
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("id") || !json["id"].is_array()) return std::nullopt;
  return json;
}

schema::ScoredExample matched(const Example& example, const Stored& stored) {
  if (stored.scores.size() != example.conversations.size()) {
    throw UserError("{}: id \"{}\": wrong number of scores, expected {}, got {}", stored.where,
                    example.id, example.conversations.size(), stored.scores.size());
  }
  schema::ScoredExample scored;
  scored.id = example.id;
  scored.subset = example.subset;
  scored.num_correct = example.num_correct;
  for (std::size_t i = 0; i < stored.scores.size(); ++i) {
    if (!stored.scores[i]) {
      throw UserError(
          "{}: id \"{}\": score {}: expected a finite number, got NaN, infinity or null",
          stored.where, example.id, i + 1);
    }
    scored.scores.push_back(*stored.scores[i]);
    scored.lengths.push_back(text_length(answer_text(example.conversations[i])));
  }
  return scored;
}

}  // namespace

std::vector<schema::ScoredExample> read_scores(const std::vector<Example>& examples,
                                               const std::string& path) {
  const std::string text = without_python_constants(formats::read_text_file(path));
  const std::optional<Json> columns = as_columns(text);
  StoredById stored = columns ? read_columns(*columns, path) : read_lines(text, path);
  std::vector<schema::ScoredExample> results;
  results.reserve(examples.size());
  for (const Example& example : examples) {
    const auto found = stored.find(example.id);
    if (found == stored.end()) throw UserError("{}: no scores for id \"{}\"", path, example.id);
    results.push_back(matched(example, found->second));
    stored.erase(found);
  }
  if (!stored.empty()) {
    throw UserError("{}: scores for id \"{}\", which is not in the data",
                    stored.begin()->second.where, stored.begin()->first);
  }
  return results;
}

std::string find_scores_file(const std::string& path) {
  namespace fs = std::filesystem;
  if (!fs::is_directory(path)) return path;
  const fs::path ours = fs::path(path) / "scores.jsonl";
  if (fs::is_regular_file(ours)) return ours.string();
  std::vector<std::string> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path)) {
    if (entry.is_regular_file()) files.push_back(entry.path().string());
  }
  if (files.size() == 1) return files[0];
  throw UserError(
      "{}: expected a directory with scores.jsonl or a single scores file, got {} files", path,
      files.size());
}

std::string stored_model_name(const std::string& path) {
  const auto columns = as_columns(without_python_constants(formats::read_text_file(path)));
  return columns ? get_string(*columns, "model", path).value_or("") : "";
}

}  // namespace laurel::bench
