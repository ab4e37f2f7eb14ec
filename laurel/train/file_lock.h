// Advisory locks on files that others may remove.
#pragma once

#include <filesystem>

namespace laurel::train {

// Takes the exclusive lock of the open file without waiting; it goes when the descriptor is closed,
// at the latest with the process. False if another holds it, or if `path` does not name this file
// any more: whoever held the lock before may have removed it.
bool try_lock(int descriptor, const std::filesystem::path& path);

}  // namespace laurel::train
