// Members of a JSON object by type, with the object's place in every error.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "laurel/base/json.h"

namespace laurel {

// A view of an object, which must outlive it. All members are optional: read() leaves `value` alone
// when the key is missing or null, and throws UserError `<where>: key "<key>": expected …` when the
// member has another type.
class JsonReader {
 public:
  // Throws UserError unless `object` is an object.
  JsonReader(const Json& object, std::string where);

  void read(std::string_view key, std::string& value) const;
  void read(std::string_view key, std::int64_t& value) const;
  void read(std::string_view key, int& value) const;
  void read(std::string_view key, double& value) const;
  void read(std::string_view key, bool& value) const;
  // Also a single string.
  void read(std::string_view key, std::vector<std::string>& value) const;

  bool has(std::string_view key) const;
  // The member, or null.
  const Json& get(std::string_view key) const;
  // An object. Precondition: has(key).
  JsonReader child(std::string_view key) const;
  // The items of an array of objects; none when the key is missing.
  std::vector<JsonReader> children(std::string_view key) const;
  // Throws UserError for a key that is not among these, with the nearest one as a hint.
  void allow_only(std::span<const std::string> keys) const;

  const Json& object() const { return *object_; }
  const std::string& where() const { return where_; }

 private:
  const Json* object_;
  std::string where_;
};

}  // namespace laurel
