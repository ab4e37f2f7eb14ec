#include "laurel/publish/publish.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "laurel/base/error.h"
#include "laurel/base/version.h"
#include "laurel/report/model_card.h"

namespace laurel::publish {
namespace {

namespace fs = std::filesystem;
using schema::CardRevision;
using schema::ModelCard;

constexpr const char* kMain = "main";

// What loading needs, and what a license asks to be kept. Records of the run stay home: they name
// places on the machine that trained.
bool is_published(const std::string& name) {
  static constexpr std::string_view kNames[] = {"config.json",
                                                "adapter_config.json",
                                                "generation_config.json",
                                                "special_tokens_map.json",
                                                "added_tokens.json",
                                                "vocab.json",
                                                "merges.txt",
                                                "chat_template.jinja",
                                                "chat_template.json"};
  if (std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames)) return true;
  return name.starts_with("tokenizer") || name.starts_with("LICENSE") ||
         name.starts_with("NOTICE") || name.ends_with(".safetensors") ||
         name.ends_with(".safetensors.index.json");
}

std::vector<RevisionFile> files_of(const fs::path& model) {
  std::vector<RevisionFile> files;
  bool has_weights = false;
  for (const fs::directory_entry& entry : fs::directory_iterator(model)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_regular_file() || !is_published(name)) continue;
    has_weights |= name.ends_with(".safetensors");
    files.push_back({name, entry.path(), ""});
  }
  if (!has_weights) throw UserError("{}: no weights, expected *.safetensors", model.string());
  return files;
}

std::int64_t number_of(const std::string& revision) {
  std::int64_t number = 0;
  std::from_chars(revision.data(), revision.data() + revision.size(), number);
  return number;
}

// Rows of all runs, given ones first; an earlier row stays only where its run is not given.
std::vector<CardRevision> rows_of(const Family& family, const std::optional<ModelCard>& earlier) {
  std::vector<CardRevision> rows;
  const auto has = [&](const std::string& run) {
    return std::any_of(rows.begin(), rows.end(), [&](const auto& row) { return row.run == run; });
  };
  for (const Candidate& candidate : family.candidates) rows.push_back(candidate.facts);
  if (!earlier) return rows;
  for (const CardRevision& row : earlier->revisions) {
    if (!has(row.run)) rows.push_back(row);
  }
  return rows;
}

std::string best_run(const std::vector<CardRevision>& rows) {
  const CardRevision* best = nullptr;
  for (const CardRevision& row : rows) {
    if (!row.overall) {
      throw UserError(
          "{}: has no benchmark score, expected one of every run to find the best; evaluate it, or "
          "name the run for main",
          row.run);
    }
    const bool better = best == nullptr || *row.overall > *best->overall ||
                        (*row.overall == *best->overall && row.run < best->run);
    if (better) best = &row;
  }
  return best->run;
}

std::string main_run(const std::vector<CardRevision>& rows, const std::string& main) {
  if (main == "best") return best_run(rows);
  for (const CardRevision& row : rows) {
    if (row.run == main) return main;
  }
  throw UserError("--main: no run {}, expected \"best\" or one of the runs, such as {}", main,
                  rows.front().run);
}

template <typename Part>
std::vector<Part> joined(const std::vector<Part>& now, const std::vector<Part>& earlier) {
  std::vector<Part> parts = now;
  for (const Part& part : earlier) {
    const bool known = std::any_of(parts.begin(), parts.end(),
                                   [&](const Part& other) { return other.key == part.key; });
    if (!known) parts.push_back(part);
  }
  return parts;
}

// The models of earlier revisions that are not given now, from the repository itself.
Family with_earlier(const Family& family, const Repository& repository, const ModelCard& earlier) {
  Family all = family;
  const Refs refs = repository.refs();
  for (const CardRevision& row : earlier.revisions) {
    const bool known = std::any_of(all.candidates.begin(), all.candidates.end(),
                                   [&](const auto& other) { return other.facts.run == row.run; });
    const auto commit = refs.find(row.revision);
    if (known || commit == refs.end()) continue;
    all.candidates.push_back({row, repository.snapshot(commit->second)});
  }
  return all;
}

}  // namespace

ModelCard arrange(const Family& family, const std::string& repo_id, const std::string& main,
                  const std::optional<ModelCard>& earlier) {
  if (family.candidates.empty()) throw UserError("no runs, expected at least one");
  ModelCard card;
  card.repo_id = repo_id;
  card.laurel_version = version();
  card.text = family.text;
  card.benchmark = family.benchmark;
  card.bases = joined(family.bases, earlier ? earlier->bases : std::vector<schema::CardBase>{});
  card.mixes = joined(family.mixes, earlier ? earlier->mixes : std::vector<schema::CardMix>{});

  std::vector<CardRevision> rows = rows_of(family, earlier);
  const std::string chosen = main_run(rows, main);
  std::map<std::string, std::int64_t> numbers;  // by run
  std::int64_t last = 0;
  for (const CardRevision& row : earlier ? earlier->revisions : std::vector<CardRevision>{}) {
    if (row.revision == kMain) continue;
    numbers[row.run] = number_of(row.revision);
    last = std::max(last, numbers[row.run]);
  }
  for (CardRevision& row : rows) {
    if (row.run == chosen) {
      card.revisions.push_back(row);
      card.revisions.back().revision = kMain;
      if (!numbers.contains(row.run)) continue;  // main only
    } else if (!numbers.contains(row.run)) {
      numbers[row.run] = ++last;
    }
    row.revision = std::to_string(numbers[row.run]);
    card.revisions.push_back(row);
  }
  std::stable_sort(card.revisions.begin(), card.revisions.end(), [](const auto& a, const auto& b) {
    return number_of(a.revision) < number_of(b.revision);  // main is 0
  });
  return card;
}

std::optional<ModelCard> read_published_card(const Repository& repository) {
  const Refs refs = repository.refs();
  const auto main = refs.find(kMain);
  if (main == refs.end()) return std::nullopt;
  const fs::path path = repository.snapshot(main->second) / kCardFile;
  if (!fs::exists(path)) {
    throw UserError("{}: main has no {}, expected a new repository or one that laurel published",
                    repository.folder().string(), kCardFile);
  }
  return schema::model_card_from_json(read_json_file(path), path.string());
}

std::vector<PublishedRevision> publish(const Family& family, Repository& repository,
                                       const std::string& repo_id, const std::string& main) {
  const std::optional<ModelCard> earlier = read_published_card(repository);
  const Family all = earlier ? with_earlier(family, repository, *earlier) : family;
  const ModelCard card = arrange(family, repo_id, main, earlier);
  std::map<std::string, fs::path> models;  // by run
  for (const Candidate& candidate : all.candidates) {
    models[candidate.facts.run] = candidate.model;
  }
  Refs refs;
  std::vector<PublishedRevision> published;
  for (const CardRevision& row : card.revisions) {
    std::vector<RevisionFile> files = files_of(models.at(row.run));
    if (row.revision == kMain) {
      files.push_back({"README.md", {}, report::model_card(card)});
      files.push_back({kCardFile, {}, to_text(schema::to_json(card))});
    }
    refs[row.revision] = repository.add_revision(files);
    published.push_back({row.revision, row.run, refs[row.revision]});
  }
  repository.set_refs(refs);
  return published;
}

}  // namespace laurel::publish
