// Rows of a Parquet file through the plug-in.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "laurel/formats/row_source.h"

namespace laurel::formats {

// Whether the bytes of a file begin as Parquet does, encrypted or not.
bool starts_as_parquet(std::string_view head);

// The rows of the Parquet file, as open_rows. Throws UserError when the plug-in is absent or the
// file is damaged, encrypted or holds a type that JSON lacks.
std::unique_ptr<RowSource> open_parquet_rows(const std::string& path,
                                             const std::vector<std::string>& columns);

}  // namespace laurel::formats
