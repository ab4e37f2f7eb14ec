// What a model card tells: a family of reward models in one repository, by revision. Kept as JSON
// in the repository, so that the card can be made again and revisions added.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "laurel/base/json.h"
#include "laurel/base/json_reader.h"
#include "laurel/schema/named_scores.h"

namespace laurel::schema {

// A license and further terms as their owner states them. Empty means not given; nothing is
// guessed.
struct LicenseFacts {
  std::string license;       // the hub's identifier, e.g. "apache-2.0", "llama3.1", "other"
  std::string license_name;  // with "other"
  std::string license_link;
  std::string terms;  // text: what users of a derived model must know
};

struct CardBase {
  std::string key;       // by which revisions name it
  std::string title;     // for people
  std::string hub_name;  // "org/name"; empty when it is not on the hub
  LicenseFacts license;
};

struct CardMix {
  std::string key;                    // by which revisions name it
  std::string title;                  // for people, e.g. "Combined"
  std::vector<std::string> datasets;  // hub names
  LicenseFacts license;
};

struct CardBenchmark {
  std::string name;     // of `laurel eval`, e.g. "reward-bench-2"
  std::string title;    // e.g. "RewardBench 2"
  std::string dataset;  // hub name of the rows; empty when they are not on the hub
};

// One trained model.
struct CardRevision {
  std::string revision;       // "main", "1", "2", …
  std::string run;            // which run made it; unique in the repository
  std::string base;           // key of a CardBase
  std::string mix;            // key of a CardMix
  std::string learning_rate;  // as given, e.g. "3e-6"
  std::string num_epochs;
  std::string seed;
  bool is_adapter = false;             // LoRA matrices to be put on the base
  std::optional<double> overall = {};  // fraction 0…1; absent when not evaluated
  NamedScores subsets = {};            // in the benchmark's order
  Json options = Json::object();       // effective ones of the run
  std::int64_t num_rows = 0;
  std::int64_t num_steps = 0;
  std::int64_t num_tokens = 0;
  std::string training =
      {};              // which run of `laurel train` made it; several revisions may share one
  double seconds = 0;  // of that run
  int num_threads = 0;
};

// What is said about the family, beside its parts.
struct CardText {
  std::string title;
  std::string summary;
  std::string developed_by;
  std::string contact;
  std::string citation;               // BibTeX
  std::vector<std::string> language;  // codes, e.g. "en"
  std::vector<std::string> tags;
  LicenseFacts license;  // of the models themselves, when it is not the bases'
};

struct ModelCard {
  std::string repo_id;  // "org/name"
  std::string laurel_version;
  CardText text;
  CardBenchmark benchmark;
  std::vector<CardBase> bases;
  std::vector<CardMix> mixes;
  std::vector<CardRevision> revisions;  // main first
};

// The keys that the readers below know, for checks of configuration files.
std::vector<std::string> card_base_keys();
std::vector<std::string> card_mix_keys();
std::vector<std::string> card_text_keys();
std::vector<std::string> card_benchmark_keys();

// Readers of the parts as people write them; unknown keys are left to the caller. Titles default to
// the key.
CardBase read_card_base(std::string key, const JsonReader& reader);
CardMix read_card_mix(std::string key, const JsonReader& reader);
CardText read_card_text(const JsonReader& reader);
CardBenchmark read_card_benchmark(const JsonReader& reader);

Json to_json(const ModelCard& card);
// Reads what to_json wrote. Throws UserError that begins with `where`.
ModelCard model_card_from_json(const Json& json, std::string_view where);

}  // namespace laurel::schema
