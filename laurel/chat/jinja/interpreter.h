// Walks a parsed template and writes its text.
#pragma once

#include <string>

#include "laurel/base/json.h"
#include "laurel/chat/jinja/ast.h"
#include "laurel/chat/jinja/runtime.h"

namespace laurel::chat::jinja {

struct Limits {
  std::size_t max_output_bytes;
  std::int64_t max_steps;
};

// `line` is kept at the line being rendered; a Problem leaves it where it happened.
std::string interpret(const Template& parsed, const Json& variables, const std::string& date,
                      const Limits& limits, int& line);

}  // namespace laurel::chat::jinja
