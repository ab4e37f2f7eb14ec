#include "laurel/chat/chat_template.h"

#include <utility>

#include "laurel/chat/jinja/interpreter.h"
#include "laurel/chat/jinja/parser.h"
#include "laurel/chat/jinja/problem.h"

namespace laurel::chat {

struct ChatTemplate::Impl {
  std::string name;
  std::string source;
  jinja::Template parsed;
};

ChatTemplate::ChatTemplate(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;

ChatTemplate ChatTemplate::parse(std::string_view source, std::string_view name) {
  return ChatTemplate(std::make_unique<Impl>(
      Impl{std::string(name), std::string(source), jinja::parse_template(source, name)}));
}

std::string ChatTemplate::render(const Json& variables, const RenderOptions& options) const {
  int line = 1;
  try {
    return jinja::interpret(impl_->parsed, variables, options.date,
                            {options.max_output_bytes, options.max_steps}, line);
  } catch (const jinja::Problem& problem) {
    throw jinja::TemplateError(problem.kind,
                               fmt::format("{}: line {}: {}", impl_->name, line, problem.text));
  }
}

bool ChatTemplate::uses_date() const { return impl_->parsed.uses_date; }
const std::string& ChatTemplate::source() const { return impl_->source; }

}  // namespace laurel::chat
