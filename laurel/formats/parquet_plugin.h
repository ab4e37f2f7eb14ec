// Finds and opens the optional plug-in that reads Parquet (laurel/formats/parquet), on first use.
#pragma once

#include <filesystem>
#include <vector>

#include "laurel/formats/parquet/abi.h"

namespace laurel::formats {

// The plug-in, opened once for the process. Thread-safe. Throws UserError with what to do when
// there is none or it cannot be opened; a later call tries again.
//
// Looked for: $LAUREL_PARQUET_PLUGIN if set, else liblaurel_parquet.so in ../lib/laurel of the
// program's folder. Arrow's libraries are those of the pyarrow that the plug-in was built with, or
// those in $LAUREL_ARROW_LIBRARIES.
const parquet::ParquetApi& parquet_plugin();

// What parquet_plugin() does, without remembering: the first of `places` that exists, with Arrow's
// libraries from `arrow_folder` unless that is empty.
const parquet::ParquetApi& open_parquet_plugin(const std::vector<std::filesystem::path>& places,
                                               const std::filesystem::path& arrow_folder);

}  // namespace laurel::formats
