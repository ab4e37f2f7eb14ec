#include "laurel/model/weights.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <span>

#include "laurel/base/error.h"
#include "laurel/base/half.h"
#include "laurel/model/adapter.h"
#include "laurel/model/family.h"

namespace laurel::model {
namespace {

std::string missing_text(const ExpectedTensor& expected, const ModelConfig& config,
                         const Adapter* adapter, std::string_view where) {
  std::string text = fmt::format("{}: tensor {}: missing, expected shape {}", where, expected.name,
                                 formats::shape_text(expected.shape));
  if (expected.name != "score.weight") return text;
  if (adapter != nullptr) return text + "; neither the base nor the adapter holds a score head";
  if (config.architecture.ends_with(kLanguageSuffix)) {
    return text +
           fmt::format("; {} is a language model, which has no score head", config.architecture);
  }
  return text;
}

}  // namespace

struct Weights::Impl {
  formats::TensorStore store;
  std::vector<std::vector<float>> merged;           // tensors that an adapter changed or brought
  std::vector<std::vector<std::uint16_t>> rounded;  // tensors rounded to bfloat16
  std::map<std::string, kernels::Weight, std::less<>> tensors;  // vectors have one row
  std::int64_t stored_bytes = 0;
  std::map<DType, std::int64_t> bytes_by_type;

  DecoderWeights decoder;

  explicit Impl(formats::TensorStore checkpoint) : store(std::move(checkpoint)) {}

  void load(const ModelConfig& config, const Adapter* adapter, Precision precision,
            std::string_view where, ThreadPool& pool);
  void add(const ExpectedTensor& expected, const Adapter* adapter, Precision precision,
           const std::string& missing, ThreadPool& pool);
  void round_to_bf16(kernels::Weight& weight);
  void refuse_extras_of(const Adapter& adapter) const;
};

void Weights::Impl::load(const ModelConfig& config, const Adapter* adapter, Precision precision,
                         std::string_view where, ThreadPool& pool) {
  const std::vector<ExpectedTensor> expected = expected_tensors(config);
  for (const ExpectedTensor& tensor : expected) {
    add(tensor, adapter, precision, missing_text(tensor, config, adapter, where), pool);
  }
  refuse_extra_tensors(store, expected);
  if (adapter != nullptr) refuse_extras_of(*adapter);
  decoder = assign_roles(config, [&](const std::string& name) {
    const auto found = tensors.find(name);
    return found != tensors.end() ? found->second : kernels::Weight{};
  });
}

void Weights::Impl::add(const ExpectedTensor& expected, const Adapter* adapter, Precision precision,
                        const std::string& missing, ThreadPool& pool) {
  const formats::TensorView* view = store.find(expected.name);
  const LoraModule* lora = nullptr;
  bool from_adapter = false;
  if (adapter != nullptr) {
    if (const auto found = adapter->replaced.find(expected.name);
        found != adapter->replaced.end()) {
      view = found->second;
      from_adapter = true;
    }
    if (const auto found = adapter->modules.find(expected.name); found != adapter->modules.end()) {
      lora = &found->second;
    }
  }
  if (view == nullptr) throw UserError(missing);
  check_tensor(*view, expected);
  kernels::Weight weight{view->data.data(), view->dtype,
                         expected.shape.size() == 2 ? expected.shape[0] : 1, expected.shape.back()};
  stored_bytes += static_cast<std::int64_t>(view->data.size());
  bytes_by_type[view->dtype] += static_cast<std::int64_t>(view->data.size());
  if (lora != nullptr || from_adapter) {  // the adapter's own file is not kept open
    merged.push_back(lora != nullptr ? merge(*lora, *view, pool) : to_float(*view));
    weight.data = merged.back().data();
    weight.dtype = DType::kF32;
  }
  if (precision == Precision::kBF16 && weight.dtype != DType::kBF16) round_to_bf16(weight);
  tensors.emplace(expected.name, weight);
}

void Weights::Impl::round_to_bf16(kernels::Weight& weight) {
  const auto count = static_cast<std::size_t>(weight.out_features * weight.in_features);
  std::vector<std::uint16_t> copy(count);
  const auto* source = static_cast<const std::byte*>(weight.data);
  for (std::size_t i = 0; i < count; ++i) {
    float value;
    if (weight.dtype == DType::kF32) {
      std::memcpy(&value, source + 4 * i, 4);
    } else {
      std::uint16_t bits;
      std::memcpy(&bits, source + 2 * i, 2);
      value = f16_to_float(bits);
    }
    copy[i] = float_to_bf16(value);
  }
  rounded.push_back(std::move(copy));
  weight.data = rounded.back().data();
  weight.dtype = DType::kBF16;
}

void Weights::Impl::refuse_extras_of(const Adapter& adapter) const {
  const auto is_expected = [&](std::string_view name) {
    return tensors.find(name) != tensors.end() || is_ignored_tensor(name);
  };
  for (const auto& [name, view] : adapter.replaced) {
    if (!is_expected(name))
      throw UserError("{}: tensor {}: the base has no such tensor", view->file, view->name);
  }
  for (const auto& [name, module] : adapter.modules) {
    if (!is_expected(name)) {
      throw UserError("{}: tensor {}: the base has no such module", module.a->file, module.a->name);
    }
  }
}

Weights::Weights(const ModelConfig& config, formats::TensorStore store, const Adapter* adapter,
                 Precision precision, std::string_view where, ThreadPool& pool)
    : impl_(std::make_unique<Impl>(std::move(store))) {
  impl_->load(config, adapter, precision, where, pool);
}

Weights::~Weights() = default;
Weights::Weights(Weights&&) noexcept = default;

const DecoderWeights& Weights::decoder() const { return impl_->decoder; }
std::int64_t Weights::stored_bytes() const { return impl_->stored_bytes; }

std::string Weights::dtype() const {
  const auto most =
      std::max_element(impl_->bytes_by_type.begin(), impl_->bytes_by_type.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  return std::string(dtype_name(most->first));
}

}  // namespace laurel::model
