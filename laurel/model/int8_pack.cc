#include "laurel/model/int8_pack.h"

#include <string>
#include <utility>

#include "laurel/base/error.h"
#include "laurel/formats/shard_writer.h"

namespace laurel::model {
namespace {

constexpr std::string_view kWeight = ".weight";
constexpr std::string_view kPacked = ".int8_weight";
constexpr std::string_view kScale = ".int8_scale";
constexpr std::string_view kSum = ".int8_sum";
constexpr std::string_view kCenter = ".int8_center";
constexpr std::string_view kOffset = ".int8_offset";
constexpr std::string_view kRestPacked = ".int8_rest_weight";
constexpr std::string_view kRestScale = ".int8_rest_scale";
constexpr std::string_view kRestSum = ".int8_rest_sum";

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

void add_int8_form(const ExpectedTensor& weight, std::string_view name, bool has_rest,
                   std::vector<ExpectedTensor>& list) {
  const std::int64_t out = weight.shape[0], in = weight.shape[1];
  list.push_back({with(name, kPacked), packed_shape(out, in), weight.layer, DType::kI8});
  list.push_back({with(name, kScale), {out}, weight.layer, DType::kF32});
  list.push_back({with(name, kSum), {out}, weight.layer, DType::kI32});
  list.push_back({with(name, kCenter), {in}, weight.layer, DType::kF32});
  list.push_back({with(name, kOffset), {out}, weight.layer, DType::kF32});
  if (!has_rest) return;
  list.push_back({with(name, kRestPacked), packed_shape(out, in), weight.layer, DType::kI8});
  list.push_back({with(name, kRestScale), {out}, weight.layer, DType::kF32});
  list.push_back({with(name, kRestSum), {out}, weight.layer, DType::kI32});
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

  const Int8Copy& get(const Linear& linear, const Int8Choice& choice) {
    if (linear_ != &linear) {
      copies_.clear();
      Linear copy = linear;
      quantize_linear(copy, choice, copies_, pool_);
      linear_ = &linear;
    }
    return copies_.front();
  }

 private:
  ThreadPool& pool_;
  const Linear* linear_ = nullptr;
  Int8Copies copies_;
};

void add_int8_tensors(const std::string& name, const Linear& linear, const Int8Choice& choice,
                      LastQuantized& last, std::vector<TensorToWrite>& tensors) {
  const auto add = [&](std::string_view suffix, DType dtype, std::vector<std::int64_t> shape,
                       const auto& part, const auto& member) {
    tensors.push_back({with(name, suffix), dtype, std::move(shape),
                       [&linear, &choice, &last, part, member](const ByteSink& sink) {
                         pass(last.get(linear, choice).*part.*member, sink);
                       }});
  };
  const std::int64_t out = linear.weight.out_features, in = linear.weight.in_features;
  const std::vector<std::int64_t> shape = packed_shape(out, in);
  add(kPacked, DType::kI8, shape, &Int8Copy::weight, &Int8Tensors::packed);
  add(kScale, DType::kF32, {out}, &Int8Copy::weight, &Int8Tensors::scales);
  add(kSum, DType::kI32, {out}, &Int8Copy::weight, &Int8Tensors::sums);
  add(kCenter, DType::kF32, {in}, &Int8Copy::weight, &Int8Tensors::center);
  add(kOffset, DType::kF32, {out}, &Int8Copy::weight, &Int8Tensors::offsets);
  if (!choice.has_rest) return;
  add(kRestPacked, DType::kI8, shape, &Int8Copy::rest, &Int8Tensors::packed);
  add(kRestScale, DType::kF32, {out}, &Int8Copy::rest, &Int8Tensors::scales);
  add(kRestSum, DType::kI32, {out}, &Int8Copy::rest, &Int8Tensors::sums);
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
      add_int8_form(tensor, layer, store.find(with(layer, kRestPacked)) != nullptr, list);
    } else {
      list.push_back(std::move(tensor));
    }
  }
  return list;
}

void assign_int8(const FindWeight& find, LayerWeights& layer) {
  for_each_linear(layer, [&](Linear& linear) {
    if (linear.weight.data != nullptr) return;
    const auto data = [&](std::string_view suffix) { return find(with(linear.name, suffix)).data; };
    const std::int64_t out = find(with(linear.name, kScale)).in_features;
    linear.int8 = {data(kPacked), data(kScale), data(kSum), data(kCenter), data(kOffset), out};
    linear.int8_rest = {data(kRestPacked), data(kRestScale), data(kRestSum), nullptr, nullptr, out};
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
