// A mix as one file of rows, to look at, keep or give to other trainers.
#pragma once

#include <string>

#include "laurel/base/json.h"
#include "laurel/base/thread_pool.h"
#include "laurel/data/build.h"

namespace laurel::data {

// Writes the examples of build_training_set(options, …) as JSON lines, messages written out, each
// with its source and an id (its own, or the row's number); reading the file gives the same
// examples. Compressed when the path ends in ".zst"; appears whole or not at all. `encoder`: null
// to do without the filters that need tokens. Returns {"examples", "sources": counts of each}.
// Throws as build_training_set(), and UserError for a length limit without an encoder.
Json write_mix(const BuildOptions& options, const chat::Encoder* encoder, ThreadPool& pool,
               const std::string& path);

}  // namespace laurel::data
