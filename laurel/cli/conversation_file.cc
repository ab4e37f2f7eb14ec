#include "laurel/cli/conversation_file.h"

#include <fmt/format.h>

#include "laurel/base/json.h"
#include "laurel/formats/line_reader.h"
#include "laurel/schema/input_row.h"

namespace laurel::cli {

std::vector<schema::Conversation> read_conversation_file(const std::string& path,
                                                         std::int64_t max_rows) {
  std::vector<schema::Conversation> conversations;
  formats::LineReader reader(path);
  std::int64_t num_rows = 0;
  for (std::string line; num_rows < max_rows && reader.next_content(line);) {
    const std::string where = fmt::format("{}:{}", reader.name(), reader.line_number());
    schema::InputRow row = schema::parse_input_row(parse_json(line, where), where);
    for (schema::Conversation& conversation : row.conversations)
      conversations.push_back(std::move(conversation));
    ++num_rows;
  }
  return conversations;
}

}  // namespace laurel::cli
