// The first line is a text, the rest tokenizer.json; a line "~config" starts tokenizer_config.json.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "laurel/base/error.h"
#include "laurel/tokenizer/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using laurel::tokenizer::Tokenizer;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line = input.find('\n');
  if (line == input.npos) return 0;
  const std::string_view text = input.substr(0, line);
  std::string_view json = input.substr(line + 1);
  constexpr std::string_view kConfig = "\n~config\n";
  const std::size_t cut = json.find(kConfig);
  const std::string_view config =
      cut == json.npos ? std::string_view() : json.substr(cut + kConfig.size());
  json = json.substr(0, cut);
  try {
    const Tokenizer tokenizer = Tokenizer::from_json(json, config);
    const auto ids = tokenizer.encode(text);
    if (ids.ok()) tokenizer.decode(ids.value());
  } catch (const laurel::UserError&) {
  }
  return 0;
}
