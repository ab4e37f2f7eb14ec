// Members of a preference row as parts of conversations. Each throws a UserError beginning with
// `where`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "laurel/base/json.h"
#include "laurel/schema/conversation.h"

namespace laurel::data {

// The member, or null when it is absent or JSON null.
const Json* find_member(const Json& row, std::string_view key);
const Json& required_member(const Json& row, std::string_view key, std::string_view where);
// `where: key "key"`.
std::string place_of(std::string_view where, std::string_view key);

// A list of at least one token id.
std::vector<std::int32_t> token_ids(const Json& list, std::string_view where);
// ShareGPT's turn {"from", "value"}.
schema::Message sharegpt_message(const Json& turn, std::string_view where);
// A list, or a string that holds one as JSON (lists of structs that Parquet's writers flatten).
Json list_or_json_text(const Json& value, std::string_view where);

}  // namespace laurel::data
