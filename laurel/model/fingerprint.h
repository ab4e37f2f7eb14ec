// The identity of a model's weights, for manifests. It identifies, it does not authenticate.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "laurel/base/thread_pool.h"
#include "laurel/model/weight_plan.h"

namespace laurel::model {

// Weights of more bytes than this are identified by samples: to read them all would take minutes.
inline constexpr std::int64_t kMaxHashedBytes = 32'000'000'000;

// "sampled-" and a hash: of the names and contents of `files`, and of the tensors' names, types,
// shapes and samples. Tensors of up to 1 MiB are taken whole (a score head that was trained alone
// counts), larger ones 64 KiB out of every 16 MiB and at the end. The same for any number of
// threads. Throws IoError.
std::string sampled_fingerprint(const std::vector<std::filesystem::path>& files,
                                std::span<const PlannedTensor> tensors, ThreadPool& pool);

}  // namespace laurel::model
