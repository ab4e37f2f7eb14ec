// A family of models as one repository: the best as main, the others as numbered revisions.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "laurel/publish/family.h"
#include "laurel/publish/repository.h"
#include "laurel/schema/model_card.h"

namespace laurel::publish {

// The card's data within main's files.
inline constexpr const char* kCardFile = "laurel_revisions.json";

// Names the candidates: `main` is "best" (highest overall score, ties by the run's name) or the
// name of a run. The others are numbered from 1 in the family's order. Runs that `earlier` numbers
// keep their numbers, and new ones get the next; what was main before is numbered too; a number
// whose run becomes main stays with it besides. Rows: main, then by number. Throws UserError if
// "best" is asked for and a candidate has no score, or no run has the name.
schema::ModelCard arrange(const Family& family, const std::string& repo_id, const std::string& main,
                          const std::optional<schema::ModelCard>& earlier);

// The card's data of a published repository; absent when it has no main.
// Throws UserError if it has one that Laurel did not publish.
std::optional<schema::ModelCard> read_published_card(const Repository& repository);

struct PublishedRevision {
  std::string revision;
  std::string run;
  std::string commit;
};

// Writes each candidate as a revision, main with README.md and the card's data. Published again
// with more or other runs, revisions that are not given stay as they are and in the card. The names
// change in one step at the end: a reader sees the earlier repository or the new one.
std::vector<PublishedRevision> publish(const Family& family, Repository& repository,
                                       const std::string& repo_id, const std::string& main);

}  // namespace laurel::publish
