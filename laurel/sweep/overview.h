// A sweep for people: how far it is, and its points by score.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "laurel/sweep/records.h"

namespace laurel::sweep {

enum class TableFormat { kText, kCsv, kMarkdown, kJson };

// Counts, time left (at the mean speed so far, `num_jobs` at once), and each failed job with
// its reason and log.
std::string status_text(const std::filesystem::path& directory, Records& records, int num_jobs);

// One row per point: name, base, mix, the grid's options, status, overall and parts in percent.
// Sorted by `sort`: "overall" or the name of a part (highest first, points without a figure last),
// or "grid" for the grid's order. Throws UserError for another name.
std::string points_table(const std::vector<PointRecord>& points, TableFormat format,
                         const std::string& sort);

}  // namespace laurel::sweep
