// config.json of unknown origin: parsed or refused, and what is parsed has sane sizes.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "laurel/base/error.h"
#include "laurel/model/config.h"
#include "laurel/model/decoder_weights.h"
#include "laurel/model/rope.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const laurel::model::ModelConfig config =
        laurel::model::parse_config(laurel::parse_json(text, "config.json"));
    if (laurel::model::num_parameters(config) <= 0) std::abort();
    const auto frequencies = laurel::model::inverse_frequencies(config.rope);
    if (static_cast<std::int64_t>(frequencies.size()) * 2 > config.head_dim) std::abort();
  } catch (const laurel::UserError&) {  // refused with a sentence
  }
  return 0;
}
