// Tokens to a syntax tree.
#pragma once

#include <string_view>

#include "laurel/chat/jinja/ast.h"

namespace laurel::chat::jinja {

// Throws TemplateError (`<name>: line <n>: …`).
Template parse_template(std::string_view source, std::string_view name);

}  // namespace laurel::chat::jinja
