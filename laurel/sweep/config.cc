#include "laurel/sweep/config.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "laurel/base/error.h"
#include "laurel/base/json_reader.h"
#include "laurel/base/nearest.h"
#include "laurel/formats/yaml.h"

namespace laurel::sweep {
namespace {

const std::vector<std::string> kSetBySweep = {"config", "data",       "export-epochs", "model",
                                              "output", "output-dir", "overwrite",     "resume",
                                              "scores", "adapter",    "benchmark",     "cache-dir"};

std::vector<std::string> joined(std::vector<std::string> keys,
                                const std::vector<std::string>& more) {
  keys.insert(keys.end(), more.begin(), more.end());
  return keys;
}

// Keys become parts of file names.
void check_key(const std::string& key, const std::string& where) {
  const bool plain = !key.empty() && std::all_of(key.begin(), key.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '.' || c == '-';
  });
  if (plain && key.front() != '.' && key.front() != '-') return;
  throw UserError("{}: key \"{}\": expected letters, digits, '.', '_' and '-'", where, key);
}

void check_option(const std::string& name, const std::vector<std::string>& known,
                  const std::string& where) {
  if (std::find(kSetBySweep.begin(), kSetBySweep.end(), name) != kSetBySweep.end()) {
    throw UserError("{}: key \"{}\": the sweep sets this option itself", where, name);
  }
  if (std::find(known.begin(), known.end(), name) != known.end()) return;
  const std::string hint = nearest_name(name, known);
  throw UserError("{}: unknown option \"{}\"{}", where, name,
                  hint.empty() ? "" : fmt::format("; did you mean {}?", hint));
}

Json read_options(const JsonReader& reader, const std::vector<std::string>& known) {
  for (const auto& [name, value] : reader.object().items()) {
    check_option(name, known, reader.where());
    if (value.is_object()) {
      throw UserError("{}: key \"{}\": expected a value, got an object", reader.where(), name);
    }
  }
  return reader.object();
}

// Reads every entry of a map of named parts.
template <typename Part, typename Read>
std::vector<Part> read_parts(const JsonReader& reader, const char* key, Read read) {
  if (!reader.has(key)) throw UserError("{}: no {}, expected at least one", reader.where(), key);
  const JsonReader parts = reader.child(key);
  std::vector<Part> result;
  for (const auto& [name, unused] : parts.object().items()) {
    check_key(name, parts.where());
    result.push_back(read(name, parts.child(name)));
  }
  if (result.empty()) throw UserError("{}: no {}, expected at least one", reader.where(), key);
  return result;
}

SweepBase read_base(const std::string& key, const JsonReader& reader) {
  reader.allow_only(joined({"model"}, schema::card_base_keys()));
  SweepBase base;
  base.card = schema::read_card_base(key, reader);
  base.model = base.card.hub_name;
  reader.read("model", base.model);
  if (base.model.empty())
    throw UserError("{}: no model, expected a name or directory", reader.where());
  return base;
}

SweepMix read_mix(const std::string& key, const JsonReader& reader) {
  reader.allow_only(joined({"data"}, schema::card_mix_keys()));
  SweepMix mix;
  mix.card = schema::read_card_mix(key, reader);
  reader.read("data", mix.data);
  if (mix.data.empty()) throw UserError("{}: no data, expected sources", reader.where());
  return mix;
}

// The parts that the grid names, in its order; all of them when it names none.
template <typename Part>
std::vector<Part> select(const std::vector<Part>& parts, const JsonReader& grid, const char* key) {
  if (!grid.has(key)) return parts;
  std::vector<std::string> wanted, known;
  grid.read(key, wanted);
  for (const Part& part : parts) known.push_back(part.card.key);
  std::vector<Part> result;
  std::set<std::string> seen;
  for (const std::string& name : wanted) {
    const auto found = std::find(known.begin(), known.end(), name);
    if (found == known.end()) {
      const std::string hint = nearest_name(name, known);
      throw UserError("{}: {}: unknown name \"{}\"{}", grid.where(), key, name,
                      hint.empty() ? "" : fmt::format("; did you mean {}?", hint));
    }
    if (!seen.insert(name).second)
      throw UserError("{}: {}: \"{}\" given twice", grid.where(), key, name);
    result.push_back(parts[static_cast<std::size_t>(found - known.begin())]);
  }
  if (result.empty()) throw UserError("{}: {}: expected at least one", grid.where(), key);
  return result;
}

SweepAxis read_axis(const std::string& option, const Json& value, const std::string& where) {
  SweepAxis axis{option, {}};
  const Json values = value.is_array() ? value : Json::array({value});
  for (const Json& item : values) {
    if (item.is_structured() || item.is_null()) {
      throw UserError("{}: {}: expected plain values, got {}", where, option, to_line(item));
    }
    if (std::find(axis.values.begin(), axis.values.end(), item) != axis.values.end()) {
      throw UserError("{}: {}: {} given twice", where, option, to_line(item));
    }
    axis.values.push_back(item);
  }
  if (axis.values.empty()) throw UserError("{}: {}: expected at least one value", where, option);
  return axis;
}

void read_grid(const JsonReader& grid, const std::vector<std::string>& known, SweepConfig& config) {
  config.bases = select(config.bases, grid, "bases");
  config.mixes = select(config.mixes, grid, "mixes");
  for (const auto& [name, value] : grid.object().items()) {
    if (name == "bases" || name == "mixes") continue;
    check_option(name, joined({"bases", "mixes"}, known), grid.where());
    if (config.common.contains(name)) {
      throw UserError("{}: {}: also under \"common\", expected one of both", grid.where(), name);
    }
    config.axes.push_back(read_axis(name, value, grid.where()));
  }
}

SweepEvaluation read_evaluation(const JsonReader& reader, const std::vector<std::string>& known) {
  reader.allow_only(joined({"data", "options"}, schema::card_benchmark_keys()));
  SweepEvaluation evaluation;
  evaluation.card = schema::read_card_benchmark(reader);
  if (evaluation.card.name.empty()) {
    throw UserError("{}: no benchmark, expected a name that laurel eval knows", reader.where());
  }
  reader.read("data", evaluation.data);
  if (evaluation.data.empty()) throw UserError("{}: no data, expected files", reader.where());
  if (reader.has("options")) evaluation.options = read_options(reader.child("options"), known);
  return evaluation;
}

}  // namespace

SweepConfig parse_sweep_config(const Json& json, const ProgramOptions& known,
                               const std::string& where) {
  const JsonReader reader(json, where);
  const std::vector<std::string> keys = {"bases", "mixes", "grid", "common", "evaluate", "card"};
  reader.allow_only(keys);
  SweepConfig config;
  config.source = json;
  config.bases = read_parts<SweepBase>(reader, "bases", read_base);
  config.mixes = read_parts<SweepMix>(reader, "mixes", read_mix);
  if (reader.has("common")) config.common = read_options(reader.child("common"), known.train);
  if (reader.has("grid")) read_grid(reader.child("grid"), known.train, config);
  if (reader.has("evaluate"))
    config.evaluation = read_evaluation(reader.child("evaluate"), known.eval);
  if (reader.has("card")) {
    const JsonReader card = reader.child("card");
    card.allow_only(schema::card_text_keys());
    config.card = schema::read_card_text(card);
  }
  return config;
}

SweepConfig read_sweep_config(const std::filesystem::path& path, const ProgramOptions& known) {
  return parse_sweep_config(formats::read_yaml_file(path), known, path.string());
}

}  // namespace laurel::sweep
