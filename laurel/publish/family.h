// What is to be published: trained models with what is known of them.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "laurel/schema/model_card.h"
#include "laurel/sweep/config.h"

namespace laurel::publish {

struct Candidate {
  schema::CardRevision facts;   // without a revision's name yet
  std::filesystem::path model;  // its directory
};

struct Family {
  std::vector<Candidate> candidates;  // in the order in which they are numbered
  std::vector<schema::CardBase> bases;
  std::vector<schema::CardMix> mixes;
  schema::CardText text;
  schema::CardBenchmark benchmark;
};

// Each path is the directory of a finished run, or of a sweep, which stands for its finished points
// in grid order. `metadata` has the parts of sweep.yaml; it describes runs (a base is found by its
// `model`, a mix by its `data`) and replaces what a sweep recorded. Without it a run's base and mix
// are named as its record names them. Throws UserError for a path that is neither, for runs that
// are not finished, and for two of the same name.
Family read_family(const std::vector<std::filesystem::path>& paths,
                   const std::optional<std::filesystem::path>& metadata,
                   const sweep::ProgramOptions& known);

}  // namespace laurel::publish
