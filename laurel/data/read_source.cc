#include "laurel/data/read_source.h"

#include <cmath>
#include <utility>

#include "laurel/base/error.h"
#include "laurel/base/progress.h"
#include "laurel/data/source_files.h"

namespace laurel::data {
namespace {

constexpr std::size_t kChunkRows = 512;
constexpr std::size_t kListed = 1000;  // reasons listed one by one; the rest is counted

std::int64_t count_rows(const std::vector<std::filesystem::path>& files,
                        const std::vector<std::string>& columns) {
  SourceRows rows(files, columns);
  std::int64_t count = 0;
  for (SourceRow row; rows.next(row);) ++count;
  return count;
}

// Whole copies need no count beforehand: every row is used.
bool is_whole_copies(const Amount& amount) {
  return amount.is_share && amount.share == std::floor(amount.share);
}

void list(std::vector<std::string>& reasons, std::string reason) {
  if (reasons.size() < kListed) reasons.push_back(std::move(reason));
}

class Reading {
 public:
  Reading(const RowPreparer& preparer, const SourceOptions& options, ThreadPool& pool,
          const RowSink& sink)
      : preparer_(preparer), options_(options), pool_(pool), sink_(sink) {}

  // `wanted`: [rows] which to take; empty for all.
  RowCounts run(const std::vector<std::filesystem::path>& files, const std::vector<bool>& wanted,
                const std::string& title) {
    SourceRows rows(files, preparer_.columns());
    Progress progress("reading " + title, "rows", static_cast<std::int64_t>(wanted.size()));
    for (SourceRow row; rows.next(row);) {
      const auto number = static_cast<std::size_t>(row.number);
      if (number == wanted.size() && !wanted.empty())
        throw IoError("{}: the file grew while it was read", row.row.where);
      ++counts_.num_rows;
      if (!wanted.empty() && !wanted[number]) continue;
      chunk_.push_back({std::move(row), PreparedRow{}});
      if (chunk_.size() == kChunkRows) flush();
      progress.update(counts_.num_rows);
    }
    flush();
    return std::move(counts_);
  }

 private:
  struct Item {
    SourceRow source;
    PreparedRow prepared;
  };

  void flush() {
    pool_.parallel_for(static_cast<std::int64_t>(chunk_.size()), 1,
                       [&](std::int64_t begin, std::int64_t end, int) {
                         for (std::int64_t i = begin; i < end; ++i)
                           prepare(chunk_[static_cast<std::size_t>(i)]);
                       });
    for (Item& item : chunk_) take(item);
    chunk_.clear();
  }

  void prepare(Item& item) const {
    if (!item.source.error.empty()) return;
    try {
      item.prepared = preparer_.prepare(item.source.row.object, item.source.row.where);
    } catch (const UserError& error) {
      item.source.error = error.what();
    }
  }

  void take(Item& item) {
    ++counts_.num_read;
    PreparedRow& row = item.prepared;
    if (!item.source.error.empty()) {
      if (!options_.skip_bad_rows) throw UserError(item.source.error);
      ++counts_.num_bad;
      return list(counts_.bad, std::move(item.source.error));
    }
    ++counts_.forms[row.row.form];
    ++counts_.drops[static_cast<std::size_t>(row.drop)];
    if (row.drop == Drop::kContaminated || row.drop == Drop::kTemplate) {
      list(row.drop == Drop::kTemplate ? counts_.refused : counts_.contaminated,
           fmt::format("{}: {}", item.source.row.where, row.reason));
    }
    if (row.drop != Drop::kNone) return;
    counts_.num_prompts_differ += row.prompts_differ ? 1 : 0;
    counts_.num_margins += row.row.margin ? 1 : 0;
    sink_(item.source.number, std::move(row));
  }

  const RowPreparer& preparer_;
  const SourceOptions& options_;
  ThreadPool& pool_;
  const RowSink& sink_;
  std::vector<Item> chunk_;
  RowCounts counts_;
};

}  // namespace

SourceReading read_source(const MixEntry& entry, const std::vector<std::filesystem::path>& files,
                          const RowPreparer& preparer, const SourceOptions& options,
                          ThreadPool& pool, const RowSink& sink) {
  Reading reading(preparer, options, pool, sink);
  SourceReading result;
  const auto pick = [&](std::int64_t num_rows) {
    result.picks = pick_rows(num_rows, rows_of(entry.amount, num_rows, entry.source), options.seed);
  };
  std::vector<bool> wanted;
  if (!is_whole_copies(entry.amount)) {
    const std::int64_t num_rows = count_rows(files, preparer.columns());
    pick(num_rows);
    wanted.resize(static_cast<std::size_t>(num_rows));
    for (const std::int64_t row : result.picks) wanted[static_cast<std::size_t>(row)] = true;
  }
  result.counts = reading.run(files, wanted, entry.source);
  if (wanted.empty()) pick(result.counts.num_rows);
  result.counts.num_picked = static_cast<std::int64_t>(result.picks.size());
  return result;
}

std::vector<std::size_t> kept_picks(const std::vector<std::int64_t>& picks, std::int64_t num_rows,
                                    const std::vector<std::int64_t>& kept) {
  constexpr std::size_t kDropped = SIZE_MAX;
  std::vector<std::size_t> places(static_cast<std::size_t>(num_rows), kDropped);
  for (std::size_t i = 0; i < kept.size(); ++i) places[static_cast<std::size_t>(kept[i])] = i;
  std::vector<std::size_t> result;
  for (const std::int64_t row : picks) {
    const std::size_t place = places[static_cast<std::size_t>(row)];
    if (place != kDropped) result.push_back(place);
  }
  return result;
}

}  // namespace laurel::data
