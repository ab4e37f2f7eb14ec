// Preference rows of unknown origin: at least two conversations, which written out read the same,
// or a refusal.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "laurel/base/error.h"
#include "laurel/data/contamination.h"
#include "laurel/data/preference_row.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace laurel;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const data::PreferenceRow row =
        data::parse_preference_row(parse_json(text, "row"), data::ReaderOptions{}, "row");
    if (row.conversations.size() < 2) std::abort();
    for (const schema::Conversation& conversation : row.conversations)
      data::words_of(data::prompt_text(conversation));
    if (row.conversations.size() > 2 && row.conversations[0].index() != 0) std::abort();
    const data::PreferenceRow again =
        data::parse_preference_row(data::to_json(row, "source"), data::ReaderOptions{}, "again");
    if (again.conversations.size() != row.conversations.size()) std::abort();
  } catch (const UserError& error) {  // refused with a sentence, but not what was written here
    if (std::string_view(error.what()).starts_with("again")) std::abort();
  }
  return 0;
}
