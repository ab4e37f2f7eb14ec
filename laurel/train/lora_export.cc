#include "laurel/train/lora_export.h"

#include "laurel/base/file.h"
#include "laurel/base/json.h"
#include "laurel/formats/safetensors_writer.h"

namespace laurel::train {
namespace {

constexpr std::string_view kWeight = ".weight";

const model::Parameter* find_parameter(const model::TrainableModel& model,
                                       const std::string& name) {
  for (const model::Parameter& parameter : model.parameters()) {
    if (parameter.name == name) return &parameter;
  }
  return nullptr;
}

Json adapter_config(const model::TrainableModel& model, const std::string& base_name) {
  const model::LoraOptions& lora = *model.options().lora;
  Json config = {{"base_model_name_or_path", base_name},
                 {"bias", "none"},
                 {"fan_in_fan_out", false},
                 {"inference_mode", true},
                 {"init_lora_weights", true},
                 {"layers_pattern", nullptr},
                 {"layers_to_transform", nullptr},
                 {"lora_alpha", lora.alpha},
                 {"lora_dropout", 0.0},
                 {"modules_to_save", {"classifier", "score"}},
                 {"peft_type", "LORA"},
                 {"r", lora.rank},
                 {"target_modules", lora.targets},
                 {"task_type", "SEQ_CLS"},
                 {"use_dora", false},
                 {"use_rslora", false}};
  if (const std::int64_t frozen = model.options().freeze_layers; frozen > 0) {
    Json layers = Json::array();
    for (std::int64_t i = frozen; i < model.config().num_layers; ++i) layers.push_back(i);
    config["layers_to_transform"] = std::move(layers);
  }
  return config;
}

// value += scale · b · a, with b: [out, rank], a: [rank, in], value: [out, in].
void add_product(const model::Parameter& b, const model::Parameter& a, double scale,
                 std::vector<float>& value) {
  const auto rank = static_cast<std::size_t>(a.shape[0]), in = static_cast<std::size_t>(a.shape[1]);
  std::vector<double> row(in);
  for (std::size_t o = 0; o < static_cast<std::size_t>(b.shape[0]); ++o) {
    row.assign(in, 0);
    for (std::size_t r = 0; r < rank; ++r) {
      const auto factor = scale * static_cast<double>(b.value[o * rank + r]);
      for (std::size_t i = 0; i < in; ++i) {
        row[i] += factor * static_cast<double>(a.value[r * in + i]);
      }
    }
    for (std::size_t i = 0; i < in; ++i) {
      float& element = value[o * in + i];
      element = static_cast<float>(static_cast<double>(element) + row[i]);
    }
  }
}

}  // namespace

void write_adapter(const model::TrainableModel& model, const std::string& base_name,
                   const std::filesystem::path& directory) {
  std::vector<formats::TensorToWrite> tensors;
  for (const model::Parameter& parameter : model.parameters()) {
    tensors.push_back(
        {"base_model.model." + parameter.name, DType::kF32, parameter.shape,
         [value = parameter.value](const formats::ByteSink& sink) { sink(std::as_bytes(value)); }});
  }
  formats::write_safetensors(directory / "adapter_model.safetensors", std::move(tensors));
  write_file(directory / "adapter_config.json", to_text(adapter_config(model, base_name)));
}

std::vector<float> merged_tensor(const model::TrainableModel& model, const std::string& name) {
  std::vector<float> value = model.tensor(name);
  if (!model.options().lora || !name.ends_with(kWeight)) return value;
  const std::string module = name.substr(0, name.size() - kWeight.size());
  const model::Parameter* a = find_parameter(model, module + ".lora_A.weight");
  const model::Parameter* b = find_parameter(model, module + ".lora_B.weight");
  if (a != nullptr && b != nullptr) {
    const model::LoraOptions& lora = *model.options().lora;
    add_product(*b, *a, lora.alpha / static_cast<double>(lora.rank), value);
  }
  return value;
}

}  // namespace laurel::train
