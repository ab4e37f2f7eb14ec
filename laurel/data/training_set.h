// Preference data, ready to train on: what a mix of sources becomes after reading, filtering and
// tokenizing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "laurel/base/json.h"

namespace laurel::data {

// Completions of one prompt, best first. A pair has two: chosen, rejected.
struct TrainingExample {
  // [completions] token ids of the whole conversation, up to and including the scored token.
  std::vector<std::vector<std::int32_t>> sequences;
  float margin = 0;         // of a pair, from a "margin" column; 0 without
  std::int32_t source = 0;  // index in TrainingSet::sources
  std::int64_t row = 0;     // of the source, from 1: for messages
};

struct TrainingSet {
  std::vector<std::string> sources;       // as the mix names them
  std::vector<TrainingExample> examples;  // in the mix's order, before any epoch's shuffle
  Json summary;                           // what `laurel data inspect` prints and report.html shows
};

}  // namespace laurel::data
