// The rows of one source of a mix, chosen, filtered and tokenized.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "laurel/base/thread_pool.h"
#include "laurel/data/mix.h"
#include "laurel/data/prepare_row.h"

namespace laurel::data {

// What became of a source's rows. Rows that the amount does not pick are only in num_rows.
struct RowCounts {
  std::int64_t num_rows = 0;    // of the source
  std::int64_t num_picked = 0;  // by the amount; a row counts once for each copy
  std::int64_t num_read = 0;    // different rows among them
  std::int64_t num_bad = 0;
  std::array<std::int64_t, kNumDrops> drops = {};  // [Drop]; drops[kNone] rows were kept
  std::int64_t num_prompts_differ = 0;             // of the kept
  std::int64_t num_margins = 0;                    // of the kept
  std::map<std::string, std::int64_t> forms;
  // "file:line: why" of the first of each.
  std::vector<std::string> bad, refused, contaminated;
};

struct SourceOptions {
  bool skip_bad_rows = false;
  std::uint32_t seed = 42;
};

// Called for every row that is kept, once, in the source's order. `number` counts from 0.
using RowSink = std::function<void(std::int64_t number, PreparedRow&& row)>;

struct SourceReading {
  std::vector<std::int64_t> picks;  // row numbers in the mix's order, with those that were dropped
  RowCounts counts;
};

// Reads in chunks and prepares each on all threads; what the sink sees does not depend on their
// number. Throws UserError naming file and line for the first row that cannot be read, unless
// skip_bad_rows.
SourceReading read_source(const MixEntry& entry, const std::vector<std::filesystem::path>& files,
                          const RowPreparer& preparer, const SourceOptions& options,
                          ThreadPool& pool, const RowSink& sink);

// For each pick its place among the kept rows, given their ascending numbers; picks of dropped rows
// are left out.
std::vector<std::size_t> kept_picks(const std::vector<std::int64_t>& picks, std::int64_t num_rows,
                                    const std::vector<std::int64_t>& kept);

}  // namespace laurel::data
