// Tokenized sources on disk, so that a second run does not read and tokenize them again.
//
// A file KEY.tokens: "LRLTOK01", the payload's fingerprint (32 hexadecimal digits), the payload:
// key; length and text of the counts' JSON; number of examples; per example row (int64), margin
// (float32), number of sequences (int64), and per sequence length (int64) and ids (int32). Little
// endian.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "laurel/base/json.h"
#include "laurel/data/training_set.h"

namespace laurel::data {

struct TokenizedSource {
  Json counts;  // what became of its rows, as in the summary
  std::vector<TrainingExample> examples;
};

class TokenCache {
 public:
  // An empty directory means no cache. It is made when something is stored.
  explicit TokenCache(std::filesystem::path directory);

  // What is stored under the key; nothing when there is no such file or it is damaged.
  std::optional<TokenizedSource> find(const std::string& key) const;
  // Throws IoError. The file appears whole or not at all.
  void store(const std::string& key, const TokenizedSource& source) const;

 private:
  std::filesystem::path path_of(const std::string& key) const;

  std::filesystem::path directory_;
};

}  // namespace laurel::data
