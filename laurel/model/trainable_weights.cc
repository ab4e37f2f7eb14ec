#include "laurel/model/trainable_weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "laurel/base/error.h"
#include "laurel/base/half.h"
#include "laurel/base/stored_values.h"
#include "laurel/kernels/parameter.h"
#include "laurel/model/initialization.h"

namespace laurel::model {
namespace {

constexpr std::string_view kTargets[] = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                         "gate_proj", "up_proj", "down_proj"};
constexpr std::string_view kWeightSuffix = ".weight";
const std::string kEmbedding = std::string(kEmbeddingName) + ".weight";
const std::string kHead = "score.weight";

std::int64_t rows_of(const ExpectedTensor& tensor) {
  return tensor.shape.size() == 2 ? tensor.shape[0] : 1;
}

// "model.layers.0.self_attn.q_proj.weight" is a target if "q_proj" is one.
bool is_target(const ExpectedTensor& tensor, const LoraOptions& lora) {
  if (tensor.layer < 0 || tensor.shape.size() != 2) return false;
  return std::any_of(lora.targets.begin(), lora.targets.end(), [&](const std::string& target) {
    return tensor.name.ends_with("." + target + std::string(kWeightSuffix));
  });
}

void add_lora(std::vector<ExpectedTensor>& list, const ExpectedTensor& base, std::int64_t rank) {
  const std::string path = base.name.substr(0, base.name.size() - kWeightSuffix.size());
  list.push_back({path + ".lora_A.weight", {rank, base.shape[1]}, base.layer});
  list.push_back({path + ".lora_B.weight", {base.shape[0], rank}, base.layer});
}

// [cols] mean of the rows.
std::vector<float> mean_row(const kernels::Weight& table) {
  std::vector<double> sums(static_cast<std::size_t>(table.in_features), 0.0);
  std::vector<float> row(sums.size());
  for (std::int64_t r = 0; r < table.out_features; ++r) {
    kernels::load_row(table, r, row.data());
    for (std::size_t c = 0; c < sums.size(); ++c) sums[c] += row[c];
  }
  std::vector<float> mean;
  for (const double sum : sums) {
    mean.push_back(static_cast<float>(sum / static_cast<double>(table.out_features)));
  }
  return mean;
}

// The bytes of a table with new rows, in its own element type.
std::vector<std::byte> grown_bytes(const kernels::Weight& table, std::int64_t num_rows) {
  const std::int64_t element = dtype_size(table.dtype);
  const auto old_bytes = static_cast<std::size_t>(table.out_features * table.in_features * element);
  std::vector<std::byte> bytes(static_cast<std::size_t>(num_rows * table.in_features * element));
  std::memcpy(bytes.data(), table.data, old_bytes);
  std::byte* end = bytes.data() + old_bytes;
  const std::vector<float> mean = mean_row(table);
  for (std::int64_t r = table.out_features; r < num_rows; ++r) {
    for (const float value : mean) {
      if (table.dtype == DType::kF32) {
        std::memcpy(end, &value, sizeof(value));
      } else {
        const std::uint16_t bits =
            table.dtype == DType::kBF16 ? float_to_bf16(value) : float_to_f16(value);
        std::memcpy(end, &bits, sizeof(bits));
      }
      end += element;
    }
  }
  return bytes;
}

void check_not_in_blocks(const formats::TensorView& view) {
  if (!is_quantized(view.dtype)) return;
  throw UserError(
      "{}: tensor {}: weights in blocks of {} cannot be trained; convert the GGUF file with "
      "--dtype f32 or bf16",
      view.file, view.name, dtype_name(view.dtype));
}

}  // namespace

void check_options(const ModelConfig& config, const TrainableOptions& options) {
  if (config.int8_pack) {
    throw UserError("an int8 pack cannot be trained; train what it was made of");
  }
  if (config.num_labels != 1) {
    throw UserError("config: expected one label (a reward), got {}", config.num_labels);
  }
  if (options.freeze_layers < 0 || options.freeze_layers > config.num_layers) {
    throw UserError("option freeze-layers: expected a number from 0 to {}, got {}",
                    config.num_layers, options.freeze_layers);
  }
  if (!options.lora) return;
  if (options.lora->rank < 1) {
    throw UserError("option lora-rank: expected 1 or more, got {}", options.lora->rank);
  }
  if (options.lora->targets.empty())
    throw UserError("option lora-targets: expected one or more, got none");
  for (const std::string& target : options.lora->targets) {
    if (std::find(std::begin(kTargets), std::end(kTargets), target) == std::end(kTargets)) {
      throw UserError("option lora-targets: no layer \"{}\", expected any of {}", target,
                      fmt::join(kTargets, ", "));
    }
  }
}

void check_stored(const ModelConfig& config, const formats::TensorStore& base) {
  for (const ExpectedTensor& expected : expected_tensors(config)) {
    if (const formats::TensorView* view = base.find(expected.name)) check_not_in_blocks(*view);
  }
}

bool is_trained(const ExpectedTensor& tensor, const TrainableOptions& options) {
  if (tensor.name == kHead) return true;
  if (options.lora) return false;
  if (tensor.name == kEmbedding) return options.freeze_layers == 0;
  return tensor.layer < 0 || tensor.layer >= options.freeze_layers;
}

std::vector<ExpectedTensor> trained_tensors(const ModelConfig& config,
                                            const TrainableOptions& options) {
  std::vector<ExpectedTensor> trained;
  for (const ExpectedTensor& tensor : expected_tensors(config)) {
    if (is_trained(tensor, options)) {
      trained.push_back(tensor);
    } else if (options.lora && tensor.layer >= options.freeze_layers &&
               is_target(tensor, *options.lora)) {
      add_lora(trained, tensor, options.lora->rank);
    }
  }
  return trained;
}

TrainableWeights::TrainableWeights(const ModelConfig& config, formats::TensorStore base,
                                   const TrainableOptions& options, ThreadPool& pool)
    : config_(config), options_(options), base_(std::move(base)) {
  const std::vector<ExpectedTensor> expected = expected_tensors(config);
  for (const ExpectedTensor& tensor : expected) {
    if (tensor.name != kHead) base_tensor(tensor);  // all refusals before memory is taken
  }
  refuse_extra_tensors(base_, expected);
  lay_out_parameters(trained_tensors(config, options));
  for (const ExpectedTensor& tensor : expected) load(tensor, pool);
  start_lora();
  clear_gradients(pool);

  decoder_ = assign_roles(config.num_layers, [&](const std::string& name) {
    const auto found = tensors_.find(name);
    return found != tensors_.end() ? found->second : kernels::Weight{};
  });
  gradients_ = assign_gradients(config, [&](const std::string& name) -> kernels::Matrix {
    const Parameter* parameter = find_parameter(name);
    if (parameter == nullptr) return {};
    const kernels::Weight& weight = stored(name);
    return {parameter->gradient.data(), weight.out_features, weight.in_features,
            weight.in_features};
  });
  if (options.lora) {
    const auto scale =
        static_cast<float>(options.lora->alpha / static_cast<double>(options.lora->rank));
    for_each_role(
        decoder_, [](const std::string&, kernels::VectorParameter&) {},
        [&](const std::string&, Linear& linear) { linear.lora.scale = scale; });
  }
}

// Each tensor starts at a cache line, values and gradients alike.
void TrainableWeights::lay_out_parameters(const std::vector<ExpectedTensor>& trained) {
  constexpr std::int64_t kAlignedFloats = 16;
  std::vector<std::int64_t> offsets;
  std::int64_t total = 0;
  for (const ExpectedTensor& tensor : trained) {
    offsets.push_back(total);
    total += (tensor.num_elements() + kAlignedFloats - 1) / kAlignedFloats * kAlignedFloats;
  }
  values_ = memory_.matrix(1, total);
  all_gradients_ = memory_.matrix(1, total);
  for (std::size_t i = 0; i < trained.size(); ++i) {
    const auto size = static_cast<std::size_t>(trained[i].num_elements());
    float* value = values_.data + offsets[i];
    parameters_.push_back({trained[i].name,
                           trained[i].shape,
                           {value, size},
                           {all_gradients_.data + offsets[i], size}});
    tensors_[trained[i].name] = {value, DType::kF32, rows_of(trained[i]), trained[i].shape.back()};
  }
}

const formats::TensorView& TrainableWeights::base_tensor(const ExpectedTensor& expected) const {
  const formats::TensorView* view = base_.find(expected.name);
  if (view == nullptr) {
    throw UserError("{}: tensor {}: missing, expected shape {}",
                    base_.files().front().parent_path().string(), expected.name,
                    formats::shape_text(expected.shape));
  }
  check_not_in_blocks(*view);
  ExpectedTensor base = expected;
  if (expected.name == kEmbedding && view->shape.size() == 2 && view->shape[0] > 0) {
    base.shape[0] = std::min(view->shape[0], expected.shape[0]);
  }
  check_tensor(*view, base);
  return *view;
}

void TrainableWeights::load(const ExpectedTensor& expected, ThreadPool& pool) {
  if (expected.name == kHead) return load_head(expected, pool);
  const formats::TensorView& view = base_tensor(expected);
  kernels::Weight weight{view.data.data(), view.dtype, view.shape.size() == 2 ? view.shape[0] : 1,
                         view.shape.back()};
  const bool grows = weight.out_features < rows_of(expected);
  if (Parameter* parameter = find_parameter(expected.name)) {
    expand(weight, parameter->value.data(), pool);
    if (!grows) return;
    const std::vector<float> mean = mean_row(weight);
    for (std::int64_t r = weight.out_features; r < rows_of(expected); ++r) {
      std::copy(mean.begin(), mean.end(), parameter->value.data() + r * weight.in_features);
    }
    return;
  }
  if (grows) {
    grown_embedding_ = grown_bytes(weight, rows_of(expected));
    weight.data = grown_embedding_.data();
    weight.out_features = rows_of(expected);
  }
  tensors_[expected.name] = weight;
}

void TrainableWeights::load_head(const ExpectedTensor& expected, ThreadPool& pool) {
  const std::span<float> value = find_parameter(expected.name)->value;
  if (options_.reset_head || base_.find(expected.name) == nullptr) {
    fill_normal(value, 1 / std::sqrt(static_cast<double>(config_.hidden_size + 1)), options_.seed,
                expected.name);
    return;
  }
  const formats::TensorView& view = base_tensor(expected);
  expand({view.data.data(), view.dtype, 1, config_.hidden_size}, value.data(), pool);
}

void TrainableWeights::start_lora() {
  for (const Parameter& parameter : parameters_) {
    if (parameter.name.ends_with(".lora_A.weight")) {
      const double bound = 1 / std::sqrt(static_cast<double>(parameter.shape[1]));
      fill_uniform(parameter.value, bound, options_.seed, parameter.name);
    } else if (parameter.name.ends_with(".lora_B.weight")) {
      std::fill(parameter.value.begin(), parameter.value.end(), 0.0f);
    }
  }
}

Parameter* TrainableWeights::find_parameter(const std::string& name) {
  const auto found = std::find_if(parameters_.begin(), parameters_.end(),
                                  [&](const Parameter& p) { return p.name == name; });
  return found == parameters_.end() ? nullptr : &*found;
}

void TrainableWeights::clear_gradients(ThreadPool& pool) {
  constexpr std::int64_t kPageFloats = 1024;
  pool.parallel_for(all_gradients_.cols, kPageFloats,
                    [&](std::int64_t begin, std::int64_t end, int) {
                      std::fill(all_gradients_.data + begin, all_gradients_.data + end, 0.0f);
                    });
}

const kernels::Weight& TrainableWeights::stored(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) throw InternalError("tensor {}: not in the model", name);
  return found->second;
}

void expand(const kernels::Weight& weight, float* out, ThreadPool& pool) {
  constexpr std::int64_t kGrain = 4096;
  pool.parallel_for(weight.out_features * weight.in_features, kGrain,
                    [&](std::int64_t begin, std::int64_t end, int) {
                      const auto* data = static_cast<const std::byte*>(weight.data);
                      values_of(weight.dtype, data + dtype_bytes(weight.dtype, begin), end - begin,
                                out + begin);
                    });
}

}  // namespace laurel::model
