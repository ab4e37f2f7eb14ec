#include "laurel/model/int8_pack.h"

#include <cstring>
#include <string>
#include <utility>

#include "laurel/base/error.h"
#include "laurel/formats/shard_writer.h"

namespace laurel::model {
namespace {

constexpr std::string_view kWeight = ".weight";
constexpr std::string_view kPacked = ".int8_weight";
constexpr std::string_view kScale = ".int8_scale";
constexpr std::string_view kWideInputs = ".wide_inputs";
constexpr std::string_view kPackedWide = ".int8_wide_weight";

std::string with(std::string_view layer, std::string_view suffix) {
  return std::string(layer) + std::string(suffix);
}

std::vector<std::int64_t> packed_shape(std::int64_t out, std::int64_t in) {
  using namespace kernels;
  return {(out + kInt8PanelChannels - 1) / kInt8PanelChannels,
          (in + kInt8GroupInputs - 1) / kInt8GroupInputs, kInt8PanelChannels, kInt8GroupInputs};
}

// "model.layers.0.mlp.up_proj" of its weight, or nothing for another tensor.
std::string_view linear_layer_of(const ExpectedTensor& tensor) {
  if (tensor.layer < 0 || tensor.shape.size() != 2) return {};
  return std::string_view(tensor.name).substr(0, tensor.name.size() - kWeight.size());
}

// Elements of a tensor of int32 at any address.
std::vector<std::int32_t> read_integers(const void* data, std::int64_t count) {
  std::vector<std::int32_t> values(static_cast<std::size_t>(count));
  if (count > 0) std::memcpy(values.data(), data, values.size() * sizeof(std::int32_t));
  return values;
}

// Refuses wide inputs that are too many, out of order, or not below num_inputs.
void check_wide_inputs(const formats::TensorView& tensor, std::int64_t num_inputs) {
  const auto count = static_cast<std::int64_t>(tensor.data.size() / sizeof(std::int32_t));
  if (tensor.dtype != DType::kI32 || tensor.shape.size() != 1 || count < 1 ||
      count > kernels::kMaxWideInputs) {
    throw UserError("{}: tensor {}: expected 1 to {} elements of type I32, got {} of type {}",
                    tensor.file, tensor.name, kernels::kMaxWideInputs,
                    formats::shape_text(tensor.shape), dtype_name(tensor.dtype));
  }
  std::int64_t least = 0;
  for (const std::int32_t input : read_integers(tensor.data.data(), count)) {
    if (input < least || input >= num_inputs) {
      throw UserError("{}: tensor {}: expected ascending inputs below {}, got {}", tensor.file,
                      tensor.name, num_inputs, input);
    }
    least = std::int64_t{input} + 1;
  }
}

void add_int8_form(const ExpectedTensor& weight, std::string_view name,
                   const formats::TensorStore& store, std::vector<ExpectedTensor>& list) {
  const std::int64_t out = weight.shape[0], in = weight.shape[1];
  list.push_back({with(name, kPacked), packed_shape(out, in), weight.layer, DType::kU8});
  list.push_back({with(name, kScale), {out}, weight.layer, DType::kF32});
  const formats::TensorView* inputs = store.find(with(name, kWideInputs));
  if (inputs == nullptr) return;
  check_wide_inputs(*inputs, in);
  const std::int64_t count = inputs->shape[0];
  list.push_back({with(name, kWideInputs), {count}, weight.layer, DType::kI32});
  list.push_back({with(name, kPackedWide), packed_shape(out, count), weight.layer, DType::kU8});
}

// --- Writing ---

using formats::ByteSink;
using formats::TensorToWrite;

template <typename T>
void pass(const std::vector<T>& values, const ByteSink& sink) {
  sink(std::as_bytes(std::span(values)));
}

TensorToWrite stored_tensor(std::string name, const void* data, DType dtype,
                            std::vector<std::int64_t> shape) {
  TensorToWrite tensor{std::move(name), dtype, std::move(shape), {}};
  const auto size = static_cast<std::size_t>(data_size(tensor));
  tensor.produce = [data, size](const ByteSink& sink) {
    sink({static_cast<const std::byte*>(data), size});
  };
  return tensor;
}

// The weight that was quantized last: its tensors are written one after the other, so that each is
// quantized once, and no more than one is in memory.
class LastQuantized {
 public:
  explicit LastQuantized(ThreadPool& pool) : pool_(pool) {}

  const Int8Copies& get(const Linear& linear, const Int8Choice& choice) {
    if (linear_ != &linear) {
      copies_ = {};
      Linear copy = linear;
      quantize_linear(copy, choice, copies_, pool_);
      linear_ = &linear;
    }
    return copies_;
  }

 private:
  ThreadPool& pool_;
  const Linear* linear_ = nullptr;
  Int8Copies copies_;
};

void add_int8_tensors(const std::string& name, const Linear& linear, const Int8Choice& choice,
                      LastQuantized& last, std::vector<TensorToWrite>& tensors) {
  const auto quantized = [&linear, &choice, &last]() -> const Int8Copies& {
    return last.get(linear, choice);
  };
  const std::int64_t out = linear.weight.out_features, in = linear.weight.in_features;
  tensors.push_back(
      {with(name, kPacked), DType::kU8, packed_shape(out, in),
       [quantized](const ByteSink& sink) { pass(quantized().packed.front(), sink); }});
  tensors.push_back({with(name, kScale), DType::kF32, {out}, [quantized](const ByteSink& sink) {
                       pass(quantized().scales.front(), sink);
                     }});
  if (choice.wide_inputs.empty()) return;
  const auto num_wide = static_cast<std::int64_t>(choice.wide_inputs.size());
  tensors.push_back(
      {with(name, kWideInputs), DType::kI32, {num_wide}, [&choice](const ByteSink& sink) {
         pass(choice.wide_inputs, sink);
       }});
  tensors.push_back(
      {with(name, kPackedWide), DType::kU8, packed_shape(out, num_wide),
       [quantized](const ByteSink& sink) { pass(quantized().packed_wide.front(), sink); }});
}

std::vector<TensorToWrite> pack_tensors(DecoderWeights& decoder, const Int8Plan& plan,
                                        LastQuantized& last) {
  std::vector<TensorToWrite> tensors;
  const kernels::Weight& table = decoder.embedding;
  tensors.push_back(stored_tensor(with(kEmbeddingName, kWeight), table.data, table.dtype,
                                  {table.out_features, table.in_features}));
  for_each_role(
      decoder,
      [&](const std::string& name, const kernels::VectorParameter& vector) {
        tensors.push_back(
            stored_tensor(with(name, kWeight), vector.data, vector.dtype, {vector.size}));
      },
      [&](const std::string& name, const Linear& linear) {
        if (const kernels::VectorParameter& bias = linear.bias; bias.data != nullptr)
          tensors.push_back(stored_tensor(name + ".bias", bias.data, bias.dtype, {bias.size}));
        const Int8Choice& choice = choice_for(plan, name);
        const kernels::Weight& weight = linear.weight;
        if (choice.stays_float || &linear == &decoder.score) {
          tensors.push_back(stored_tensor(with(name, kWeight), weight.data, weight.dtype,
                                          {weight.out_features, weight.in_features}));
        } else {
          add_int8_tensors(name, linear, choice, last, tensors);
        }
      });
  return tensors;
}

}  // namespace

std::vector<ExpectedTensor> expected_pack_tensors(const ModelConfig& config,
                                                  const formats::TensorStore& store) {
  std::vector<ExpectedTensor> list;
  for (ExpectedTensor& tensor : expected_tensors(config)) {
    const std::string_view layer = linear_layer_of(tensor);
    if (!layer.empty() && store.find(tensor.name) == nullptr) {
      add_int8_form(tensor, layer, store, list);
    } else {
      list.push_back(std::move(tensor));
    }
  }
  return list;
}

void assign_int8(const FindWeight& find, LayerWeights& layer, Int8Copies& copies) {
  for_each_linear(layer, [&](Linear& linear) {
    if (linear.weight.data != nullptr) return;
    const kernels::Weight scales = find(with(linear.name, kScale));
    linear.int8.packed = find(with(linear.name, kPacked)).data;
    linear.int8.scales = scales.data;
    linear.int8.out_features = scales.in_features;
    const kernels::Weight inputs = find(with(linear.name, kWideInputs));
    if (inputs.data == nullptr) return;
    linear.wide_inputs =
        copies.wide_inputs.emplace_back(read_integers(inputs.data, inputs.in_features));
    linear.int8.num_wide = inputs.in_features;
    linear.int8.packed_wide = find(with(linear.name, kPackedWide)).data;
  });
}

Int8PackSize write_int8_pack(const std::filesystem::path& directory, const WeightPlan& weights,
                             const Int8Plan& plan, std::uint64_t max_shard_bytes,
                             ThreadPool& pool) {
  TensorCopies copies;
  const auto bytes = [](const PlannedTensor& tensor) { return tensor.stored->data.data(); };
  DecoderWeights decoder = weights.outside_layers(bytes, copies, pool);
  for (std::int64_t i = 0; i < weights.num_layers(); ++i)
    decoder.layers.push_back(weights.layer(i, bytes, copies, pool));
  LastQuantized last(pool);
  std::vector<TensorToWrite> tensors = pack_tensors(decoder, plan, last);
  Int8PackSize size;
  for (const TensorToWrite& tensor : tensors) size.num_bytes += data_size(tensor);
  formats::ShardOptions shards;
  shards.max_bytes = max_shard_bytes;
  size.num_shards = formats::write_sharded(directory, std::move(tensors), shards);
  return size;
}

}  // namespace laurel::model
