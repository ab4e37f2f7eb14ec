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

std::vector<std::uint16_t> rounded_to_bf16(const kernels::Weight& weight, ThreadPool& pool) {
  const std::int64_t count = weight.out_features * weight.in_features;
  std::vector<std::uint16_t> copy(static_cast<std::size_t>(count));
  pool.parallel_for(count, kRoundingGrain, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      copy[static_cast<std::size_t>(i)] =
          float_to_bf16(kernels::load_element(weight.data, weight.dtype, i));
    }
  });
  return copy;
}

}  // namespace

WeightPlan::WeightPlan(const ModelConfig& config, formats::TensorStore store,
                       std::optional<Adapter> adapter, Precision precision, std::string_view where)
    : config_(config),
      store_(std::move(store)),
      adapter_(std::move(adapter)),
      precision_(precision) {
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
    if (data != nullptr) {
      prepared[tensor.expected.name] = prepare(tensor, data, copies, pool);
    }
  }
  return prepared;
}

kernels::Weight WeightPlan::prepare(const PlannedTensor& tensor, const std::byte* data,
                                    TensorCopies& copies, ThreadPool& pool) const {
  const std::vector<std::int64_t>& shape = tensor.expected.shape;
  kernels::Weight weight{data, tensor.stored->dtype, shape.size() == 2 ? shape[0] : 1,
                         shape.back()};
  if (tensor.lora != nullptr) {
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
  for (const PlannedTensor& tensor : tensors_) {
    const std::int64_t elements = tensor.expected.num_elements();
    if (tensor.lora != nullptr) sum += elements * dtype_size(DType::kF32);
    if (is_rounded(tensor)) sum += elements * dtype_size(DType::kBF16);
  }
  return sum;
}

}  // namespace laurel::model
