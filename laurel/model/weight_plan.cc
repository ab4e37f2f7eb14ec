#include "laurel/model/weight_plan.h"

#include <algorithm>
#include <set>
#include <utility>

#include "laurel/base/error.h"
#include "laurel/base/half.h"
#include "laurel/kernels/parameter.h"
#include "laurel/model/family.h"
#include "laurel/model/int8_pack.h"

namespace laurel::model {
namespace {

constexpr std::string_view kWeight = ".weight";
// Elements that a thread rounds at least.
constexpr std::int64_t kRoundingGrain = 4096;

std::string missing_text(const ExpectedTensor& expected, const ModelConfig& config,
                         bool has_adapter, std::string_view where) {
  std::string text = fmt::format("{}: tensor {}: missing, expected shape {}", where, expected.name,
                                 formats::shape_text(expected.shape));
  if (expected.name != "score.weight") return text;
  if (has_adapter) return text + "; neither the base nor the adapter holds a score head";
  if (config.architecture.ends_with(kLanguageSuffix)) {
    return text +
           fmt::format("; {} is a language model, which has no score head", config.architecture);
  }
  return text;
}

struct FindPrepared {
  std::map<std::string, kernels::Weight, std::less<>> prepared;
  kernels::Weight operator()(const std::string& name) const {
    const auto found = prepared.find(name);
    return found != prepared.end() ? found->second : kernels::Weight{};
  }
};

kernels::Weight as_weight(const formats::TensorView& matrix) {
  return {matrix.data.data(), matrix.dtype, matrix.shape[0], matrix.shape[1]};
}

std::vector<std::uint16_t> rounded_to_bf16(const kernels::Weight& weight, ThreadPool& pool) {
  const std::int64_t rows = weight.out_features, cols = weight.in_features;
  std::vector<std::uint16_t> copy(static_cast<std::size_t>(rows * cols));
  const std::int64_t grain =
      std::max<std::int64_t>(1, kRoundingGrain / std::max<std::int64_t>(1, cols));
  pool.parallel_for(rows, grain, [&](std::int64_t begin, std::int64_t end, int) {
    std::vector<float> values(static_cast<std::size_t>(cols));
    for (std::int64_t r = begin; r < end; ++r) {
      kernels::load_row(weight, r, values.data());
      std::transform(values.begin(), values.end(), copy.begin() + r * cols, float_to_bf16);
    }
  });
  return copy;
}

}  // namespace

WeightPlan::WeightPlan(const ModelConfig& config, formats::TensorStore store,
                       std::optional<Adapter> adapter, Precision precision, bool merge_adapter,
                       std::string_view where)
    : config_(config),
      store_(std::move(store)),
      adapter_(std::move(adapter)),
      precision_(precision),
      merge_adapter_(merge_adapter) {
  if (config.int8_pack && adapter_) {
    throw UserError(
        "{}: an int8 pack takes no adapter; make the pack of base and adapter: laurel convert "
        "--dtype int8 --adapter",
        where);
  }
  if (config.int8_pack) check_int8_inputs(config);
  const std::vector<ExpectedTensor> expected =
      config.int8_pack ? expected_pack_tensors(config, store_) : expected_tensors(config);
  for (const ExpectedTensor& tensor : expected) {
    tensors_.push_back(plan(tensor));
    if (tensors_.back().stored == nullptr) {
      throw UserError(missing_text(tensor, config, adapter_.has_value(), where));
    }
    check_tensor(*tensors_.back().stored, tensor);
    if (const LoraModule* lora = tensors_.back().lora) check_fits(*lora, *tensors_.back().stored);
  }
  refuse_extra_tensors(store_, expected);
  if (adapter_) refuse_extras_of_adapter();
}

PlannedTensor WeightPlan::plan(const ExpectedTensor& expected) const {
  PlannedTensor tensor{expected, store_.find(expected.name), nullptr};
  if (!adapter_) return tensor;
  if (const auto found = adapter_->replaced.find(expected.name);
      found != adapter_->replaced.end()) {
    tensor.stored = found->second;
  }
  if (const auto found = adapter_->modules.find(expected.name); found != adapter_->modules.end()) {
    tensor.lora = &found->second;
  }
  return tensor;
}

void WeightPlan::refuse_extras_of_adapter() const {
  std::set<std::string_view> names;
  for (const PlannedTensor& tensor : tensors_) names.insert(tensor.expected.name);
  const auto is_expected = [&](std::string_view name) {
    return names.contains(name) || is_ignored_tensor(name);
  };
  for (const auto& [name, view] : adapter_->replaced) {
    if (!is_expected(name))
      throw UserError("{}: tensor {}: the base has no such tensor", view->file, view->name);
  }
  for (const auto& [name, module] : adapter_->modules) {
    if (!is_expected(name)) {
      throw UserError("{}: tensor {}: the base has no such module", module.a->file, module.a->name);
    }
  }
}

LayerWeights WeightPlan::layer(std::int64_t index, const StoredBytes& bytes, TensorCopies& copies,
                               ThreadPool& pool) const {
  const FindPrepared find{prepare_all(index, bytes, copies, pool)};
  LayerWeights layer = assign_layer_roles(index, find);
  if (config_.int8_pack) assign_int8(find, layer);
  for_each_linear(layer, [&](Linear& linear) {
    if (linear.lora.a.data == nullptr) return;
    const LoraModule& module = adapter_->modules.find(linear.name + std::string(kWeight))->second;
    linear.lora.scale = static_cast<float>(module.scaling);
  });
  if (int8_plan_) quantize_layer(layer, *int8_plan_, copies.int8, pool);
  return layer;
}

DecoderWeights WeightPlan::outside_layers(const StoredBytes& bytes, TensorCopies& copies,
                                          ThreadPool& pool) const {
  return assign_roles(0, FindPrepared{prepare_all(-1, bytes, copies, pool)});
}

WeightPlan::Prepared WeightPlan::prepare_all(std::int64_t index, const StoredBytes& bytes,
                                             TensorCopies& copies, ThreadPool& pool) const {
  Prepared prepared;
  for (const PlannedTensor& tensor : tensors_) {
    if (tensor.expected.layer != index) continue;
    const std::byte* data = bytes(tensor);
    if (data == nullptr) continue;
    prepared[tensor.expected.name] = prepare(tensor, data, copies, pool);
    if (tensor.lora == nullptr || is_merged(tensor)) continue;
    std::string name = tensor.expected.name;
    name.resize(name.size() - kWeight.size());
    prepared[name + ".lora_A.weight"] = as_weight(*tensor.lora->a);
    prepared[name + ".lora_B.weight"] = as_weight(*tensor.lora->b);
  }
  return prepared;
}

kernels::Weight WeightPlan::prepare(const PlannedTensor& tensor, const std::byte* data,
                                    TensorCopies& copies, ThreadPool& pool) const {
  const std::vector<std::int64_t>& shape = tensor.expected.shape;
  kernels::Weight weight{data, tensor.stored->dtype, shape.size() == 2 ? shape[0] : 1,
                         shape.back()};
  if (is_merged(tensor)) {
    formats::TensorView base = *tensor.stored;
    base.data = {data, base.data.size()};
    copies.merged.push_back(merge(*tensor.lora, base, pool));
    weight.data = copies.merged.back().data();
    weight.dtype = DType::kF32;
  }
  if (is_rounded(tensor)) {
    copies.rounded.push_back(rounded_to_bf16(weight, pool));
    weight.data = copies.rounded.back().data();
    weight.dtype = DType::kBF16;
  }
  return weight;
}

bool WeightPlan::is_rounded(const PlannedTensor& tensor) const {
  return precision_ == Precision::kBF16 && !tensor.expected.dtype &&
         (tensor.lora != nullptr || tensor.stored->dtype != DType::kBF16);
}

bool WeightPlan::is_merged(const PlannedTensor& tensor) const {
  if (tensor.lora == nullptr) return false;
  return merge_adapter_ || precision_ != Precision::kF32 || tensor.expected.layer < 0 ||
         tensor.lora->magnitude != nullptr || !is_quantized(tensor.stored->dtype);
}

std::string WeightPlan::dtype() const {
  if (config_.int8_pack) return "int8";
  std::map<DType, std::int64_t> bytes;
  for (const PlannedTensor& tensor : tensors_) {
    bytes[tensor.stored->dtype] += static_cast<std::int64_t>(tensor.stored->data.size());
  }
  const auto most = std::max_element(
      bytes.begin(), bytes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return std::string(dtype_name(most->first));
}

std::int64_t WeightPlan::stored_bytes() const {
  std::int64_t sum = 0;
  for (const PlannedTensor& tensor : tensors_) {
    sum += static_cast<std::int64_t>(tensor.stored->data.size());
  }
  return sum;
}

std::int64_t WeightPlan::copied_bytes() const {
  std::int64_t sum = 0;
  for (const PlannedTensor& tensor : tensors_) sum += copied_bytes(tensor);
  return sum;
}

std::int64_t WeightPlan::copied_bytes(const PlannedTensor& tensor) const {
  const std::int64_t elements = tensor.expected.num_elements();
  std::int64_t sum = 0;
  if (is_merged(tensor)) sum += elements * dtype_size(DType::kF32);
  if (is_rounded(tensor)) sum += elements * dtype_size(DType::kBF16);
  return sum;
}

std::int64_t WeightPlan::largest_layer_bytes() const {
  std::map<std::int64_t, std::int64_t> bytes;
  std::int64_t largest = 0;
  for (const PlannedTensor& tensor : tensors_) {
    if (tensor.expected.layer < 0) continue;
    std::int64_t& sum = bytes[tensor.expected.layer];
    sum += static_cast<std::int64_t>(tensor.stored->data.size()) + copied_bytes(tensor);
    largest = std::max(largest, sum);
  }
  return largest;
}

}  // namespace laurel::model
