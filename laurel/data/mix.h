// What to train on: a list of sources, each with an amount, as open-instruct's dataset_mixer_list.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace laurel::data {

// A share of the rows (3.0 is every row three times), or a number of rows.
struct Amount {
  bool is_share = true;
  double share = 1;
  std::int64_t num_rows = 0;
};

struct MixEntry {
  std::string source;  // a file, a directory, or org/name[@revision] in the Hugging Face cache
  Amount amount;
  std::string split = "train";
  std::string amount_text = "1.0";  // as written
};

// "SOURCE [AMOUNT [SPLIT]]". An amount with a decimal point is a share, one without a number of
// rows ("1" is one row); without one all rows are taken. Throws UserError.
MixEntry parse_mix_entry(std::string_view text);

// How many rows an amount means of a source that has num_rows: rows as given, a share times
// num_rows rounded down. Throws UserError for none; `where` begins its text.
std::int64_t rows_of(const Amount& amount, std::int64_t num_rows, std::string_view where);

// Which rows (from 0), in the mix's order: as many whole copies as fit into `wanted`, then a sample
// without replacement of the rest. The sample is numpy's RandomState(seed).choice(num_rows, rest,
// replace=False). Preconditions: num_rows > 0, wanted >= 0.
std::vector<std::int64_t> pick_rows(std::int64_t num_rows, std::int64_t wanted, std::uint32_t seed);

}  // namespace laurel::data
