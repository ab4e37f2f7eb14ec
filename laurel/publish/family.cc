#include "laurel/publish/family.h"

#include <algorithm>
#include <set>

#include "laurel/base/error.h"
#include "laurel/formats/yaml.h"
#include "laurel/hub/resolve.h"
#include "laurel/sweep/records.h"
#include "laurel/sweep/results.h"

namespace laurel::publish {
namespace {

namespace fs = std::filesystem;
using schema::CardRevision;
using sweep::SweepConfig;

template <typename Part>
void add_part(std::vector<Part>& parts, const Part& part) {
  const bool known = std::any_of(parts.begin(), parts.end(),
                                 [&](const Part& other) { return other.key == part.key; });
  if (!known) parts.push_back(part);
}

std::string option_text(const Json& options, const char* name) {
  const auto found = options.find(name);
  return found == options.end() || found->is_null() ? "" : sweep::value_text(*found);
}

void add_options(const Json& options, CardRevision& facts) {
  facts.options = options;
  facts.learning_rate = option_text(options, "learning-rate");
  facts.num_epochs = option_text(options, "num-epochs");
  facts.seed = option_text(options, "seed");
}

void add_record(const schema::RunRecord& record, CardRevision& facts) {
  for (const schema::RunSource& source : record.data) facts.num_rows += source.num_rows;
  facts.num_steps = record.steps;
  facts.num_tokens = record.tokens;
  facts.seconds = record.seconds;
  facts.num_threads = record.machine.num_threads;
}

std::string last_part(const std::string& path) {
  const fs::path name = fs::path(path).filename();
  return name.empty() ? fs::path(path).parent_path().filename().string() : name.string();
}

// The name of the directory, also of "." and "run/".
std::string directory_name(const fs::path& path) { return last_part(fs::canonical(path).string()); }

schema::CardBase base_of(const schema::RunRecord& record, const SweepConfig* metadata) {
  for (const sweep::SweepBase& base :
       metadata ? metadata->bases : std::vector<sweep::SweepBase>{}) {
    if (base.model == record.base.name) return base.card;
  }
  schema::CardBase base;
  base.key = record.base.name;
  if (!record.base.revision.empty()) base.hub_name = hub::parse_repo_name(record.base.name).id;
  base.title = base.hub_name.empty() ? last_part(record.base.name) : base.hub_name;
  base.license.license = record.base.license;
  return base;
}

std::vector<std::string> data_words(const schema::RunRecord& record) {
  const auto data = record.options.find("data");
  std::vector<std::string> words;
  if (data == record.options.end()) return words;
  for (const Json& word : data->is_array() ? *data : Json::array({*data})) {
    words.push_back(sweep::value_text(word));
  }
  return words;
}

schema::CardMix mix_of(const schema::RunRecord& record, const SweepConfig* metadata) {
  const std::vector<std::string> words = data_words(record);
  for (const sweep::SweepMix& mix : metadata ? metadata->mixes : std::vector<sweep::SweepMix>{}) {
    if (mix.data == words) return mix.card;
  }
  schema::CardMix mix;
  std::set<std::string> licenses;
  for (const schema::RunSource& source : record.data) {
    if (!mix.title.empty()) mix.title += " + ";
    mix.title += last_part(source.name);
    mix.key += source.name + "\n";
    licenses.insert(source.license);
  }
  if (licenses.size() == 1) mix.license.license = *licenses.begin();  // else none is that of all
  return mix;
}

// The run's last figures of the benchmark that the family is ranked by.
void add_evaluation(const schema::RunRecord& record, schema::CardBenchmark& benchmark,
                    CardRevision& facts) {
  for (const schema::RunEvaluation& evaluation : record.evaluations) {
    if (benchmark.name.empty() && evaluation.benchmark == schema::kHeldOut) continue;
    if (benchmark.name.empty()) benchmark = {evaluation.benchmark, evaluation.benchmark, ""};
    if (evaluation.benchmark != benchmark.name || evaluation.step != record.steps) continue;
    facts.overall = evaluation.overall;
    facts.subsets = evaluation.subsets;
  }
}

void add_run(const fs::path& path, const SweepConfig* metadata, Family& family) {
  if (!sweep::is_finished_run(path)) {
    throw UserError("{}: not finished, expected a run that laurel train completed", path.string());
  }
  const schema::RunRecord record = *sweep::read_run_record(path);
  Candidate candidate;
  candidate.model = path;
  CardRevision& facts = candidate.facts;
  facts.run = facts.training = directory_name(path);
  facts.is_adapter = sweep::is_adapter(path);
  const schema::CardBase base = base_of(record, metadata);
  const schema::CardMix mix = mix_of(record, metadata);
  facts.base = base.key;
  facts.mix = mix.key;
  add_part(family.bases, base);
  add_part(family.mixes, mix);
  add_options(record.options, facts);
  add_record(record, facts);
  add_evaluation(record, family.benchmark, facts);
  family.candidates.push_back(std::move(candidate));
}

Candidate candidate_of(const fs::path& directory, const sweep::PointRecord& record) {
  const sweep::Point& point = record.point;
  Candidate candidate;
  candidate.model = directory / point.model;
  CardRevision& facts = candidate.facts;
  facts.run = point.name;
  facts.training = point.run;
  facts.base = point.base;
  facts.mix = point.mix;
  facts.is_adapter = sweep::is_adapter(candidate.model);
  Json options = point.options;
  if (const auto run = sweep::read_run_record(directory / "runs" / point.run)) {
    add_record(*run, facts);
    options = run->options;
    options.update(point.options);
    if (point.run != point.name) facts.num_steps = facts.num_tokens = 0;  // those of a longer one
  }
  add_options(options, facts);
  if (record.figures) {
    facts.overall = record.figures->overall;
    facts.subsets = record.figures->subsets;
  }
  return candidate;
}

void add_sweep(const fs::path& directory, const SweepConfig* metadata,
               const sweep::ProgramOptions& known, Family& family) {
  sweep::Records records(directory, true);
  const std::string where = (directory / "sweep.db").string() + ": config";
  const SweepConfig recorded = sweep::parse_sweep_config(records.config(), known, where);
  const SweepConfig& config = metadata ? *metadata : recorded;
  std::size_t num_finished = 0;
  for (const sweep::PointRecord& record : records.points()) {
    if (record.status != sweep::JobStatus::kFinished) continue;
    ++num_finished;
    for (const auto& base : config.bases) {
      if (base.card.key == record.point.base) add_part(family.bases, base.card);
    }
    for (const auto& mix : config.mixes) {
      if (mix.card.key == record.point.mix) add_part(family.mixes, mix.card);
    }
    family.candidates.push_back(candidate_of(directory, record));
  }
  if (num_finished == 0) throw UserError("{}: the sweep has no finished point", directory.string());
  family.text = config.card;
  if (config.evaluation) family.benchmark = config.evaluation->card;
}

void check_names(const Family& family) {
  std::set<std::string> names;
  for (const Candidate& candidate : family.candidates) {
    if (!names.insert(candidate.facts.run).second) {
      throw UserError("{}: a second run of the name {}, expected names that differ",
                      candidate.model.string(), candidate.facts.run);
    }
  }
}

}  // namespace

Family read_family(const std::vector<fs::path>& paths, const std::optional<fs::path>& metadata,
                   const sweep::ProgramOptions& known) {
  std::optional<SweepConfig> given;
  if (metadata) given = sweep::read_sweep_config(*metadata, known);
  const SweepConfig* described = given ? &*given : nullptr;
  Family family;
  if (given) {
    family.text = given->card;
    if (given->evaluation) family.benchmark = given->evaluation->card;
  }
  for (const fs::path& path : paths) {
    if (fs::is_regular_file(path / "sweep.db")) {
      add_sweep(path, described, known, family);
    } else if (fs::is_regular_file(path / "run.json")) {
      add_run(path, described, family);
    } else {
      throw UserError("{}: expected the directory of a run (run.json) or of a sweep (sweep.db)",
                      path.string());
    }
  }
  check_names(family);
  return family;
}

}  // namespace laurel::publish
