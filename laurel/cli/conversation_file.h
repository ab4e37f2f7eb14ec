// The conversations of a JSONL file in one piece, for commands that need a few.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "laurel/schema/conversation.h"

namespace laurel::cli {

// Of at most so many rows, each as `laurel score` reads it; blank lines do not count. Throws
// UserError naming file and line for a row that cannot be read, IoError for a file.
std::vector<schema::Conversation> read_conversation_file(
    const std::string& path, std::int64_t max_rows = std::numeric_limits<std::int64_t>::max());

}  // namespace laurel::cli
