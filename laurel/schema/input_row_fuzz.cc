// Input rows of unknown origin: parsed into at least one conversation, or refused.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "laurel/base/error.h"
#include "laurel/schema/input_row.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const auto row = laurel::schema::parse_input_row(laurel::parse_json(text, "row"), "row");
    if (row.conversations.empty()) std::abort();
  } catch (const laurel::UserError&) {  // refused with a sentence
  }
  return 0;
}
