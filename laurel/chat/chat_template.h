// Chat templates: the part of Jinja 3.1.6 that they use, with transformers' settings (sandboxed,
// trim_blocks, lstrip_blocks, loop controls, undefined prints as empty).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "laurel/base/json.h"

namespace laurel::chat {

// A parsed template. Immutable; safe to use from several threads at once.
class ChatTemplate {
 public:
  // Throws UserError `<name>: line <n>: …` for a syntax error or something not supported.
  static ChatTemplate parse(std::string_view source, std::string_view name = "chat template");

  ~ChatTemplate();
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;

  struct RenderOptions {
    // What strftime_now() reports: "YYYY-MM-DD".
    std::string date = "2024-07-26";
    // Guards against hostile templates: UserError beyond these.
    std::size_t max_output_bytes = std::size_t{64} << 20;
    std::int64_t max_steps = 50'000'000;
  };

  // Renders with the variables of the object (messages, add_generation_prompt, bos_token, …).
  // Throws UserError: the text of raise_exception(), or what jinja2 would refuse.
  std::string render(const Json& variables, const RenderOptions& options) const;
  std::string render(const Json& variables) const { return render(variables, RenderOptions{}); }

  // Whether the template can print the current date (it names strftime_now).
  bool uses_date() const;
  const std::string& source() const;

 private:
  struct Impl;
  explicit ChatTemplate(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace laurel::chat
