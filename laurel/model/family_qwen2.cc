// Qwen2 and Qwen2.5.
#include "laurel/base/error.h"
#include "laurel/model/family.h"

namespace laurel::model {

void configure_qwen2(const ConfigReader& reader, ModelConfig& config) {
  config.qkv_bias = true;  // always, whatever the config says
  if (!reader.flag_or("use_sliding_window", false)) return;

  // sliding_window holds a number even where the flag is off; with it on, the layers from
  // max_window_layers have it, unless layer_types names each layer's kind.
  const std::int64_t window = reader.size_or("sliding_window", 4096, std::int64_t{1} << 31);
  if (reader.has("layer_types")) {
    const Json& types = reader.json()["layer_types"];
    if (!types.is_array() || types.size() != config.windows.size()) {
      throw UserError("{}: key \"layer_types\": expected a list of {} layer kinds", reader.where(),
                      config.windows.size());
    }
    for (std::size_t layer = 0; layer < types.size(); ++layer) {
      if (types[layer] == "sliding_attention") {
        config.windows[layer] = window;
      } else if (types[layer] != "full_attention") {
        throw UserError(
            "{}: key \"layer_types\": expected full_attention or sliding_attention, got {}",
            reader.where(), to_line(types[layer]));
      }
    }
    return;
  }
  const double first = reader.number_or("max_window_layers", 28);
  for (std::size_t layer = 0; layer < config.windows.size(); ++layer) {
    if (static_cast<double>(layer) >= first) config.windows[layer] = window;
  }
}

}  // namespace laurel::model
