// JSON for people: objects as two columns, lists of objects as tables.
#pragma once

#include <string>

#include "laurel/base/json.h"

namespace laurel::report {

// "learning_rate" is "learning rate".
std::string spoken_key(std::string_view key);
// A scalar as people write it; lists of scalars with commas; "" for null, [] and {}.
std::string spoken_value(const Json& value);

// Table rows of an object's members: nested objects become "outer · inner". Lists of objects and
// empty values are left out.
std::string fact_rows(const Json& object);

// A table with a column for every key that one of the objects has. "" for an empty list and for
// anything that is no list of objects.
std::string object_table(const Json& list);

}  // namespace laurel::report
