// Any bytes as a template: rendering ends, with a text or a UserError.
#include <cstdint>
#include <string_view>

#include "laurel/base/error.h"
#include "laurel/chat/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const laurel::Json variables = laurel::parse_json(
      R"({"messages": [{"role": "user", "content": "a é\n\"b\" 😀"}, {"role": "assistant", "content": " x ", "n": [1, 2.5]}],
          "bos_token": "<s>", "add_generation_prompt": true, "tools": null})",
      "fuzzer");
  laurel::chat::ChatTemplate::RenderOptions options;
  options.max_output_bytes = 1 << 16;
  options.max_steps = 20'000;
  try {
    const auto parsed =
        laurel::chat::ChatTemplate::parse({reinterpret_cast<const char*>(data), size}, "fuzzer");
    parsed.render(variables, options);
  } catch (const laurel::UserError&) {
  }
  return 0;
}
