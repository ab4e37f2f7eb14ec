// Checked access to the keys of a config.json, for the families' readers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "laurel/base/json.h"

namespace laurel::model {

class ConfigReader {
 public:
  ConfigReader(const Json& json, std::string_view where) : json_(json), where_(where) {}

  const Json& json() const { return json_; }
  const std::string& where() const { return where_; }

  // A size between 1 and `limit`. Throws UserError if the key is missing or out of range.
  std::int64_t size(std::string_view key, std::int64_t limit) const;
  std::int64_t size_or(std::string_view key, std::int64_t fallback, std::int64_t limit) const;
  double number_or(std::string_view key, double fallback) const;
  bool flag_or(std::string_view key, bool fallback) const;
  std::string text_or(std::string_view key, std::string fallback) const;
  bool has(std::string_view key) const;  // present and not null

 private:
  const Json& json_;
  std::string where_;
};

}  // namespace laurel::model
