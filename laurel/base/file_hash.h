// Fingerprints of whole files, e.g. of a model's weights.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "laurel/base/thread_pool.h"

namespace laurel {

// Of the files' names and contents, in this order; the folders do not count. Chunks are hashed in
// parallel; the result is the same for any number of threads. Throws IoError.
std::string fingerprint_files(const std::vector<std::filesystem::path>& paths, ThreadPool& pool);

}  // namespace laurel
