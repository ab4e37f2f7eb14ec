#include "laurel/formats/gguf_convert.h"

#include <algorithm>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "laurel/base/checked.h"
#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/base/half.h"
#include "laurel/base/json.h"
#include "laurel/base/progress.h"
#include "laurel/base/stored_values.h"
#include "laurel/formats/gguf_config.h"
#include "laurel/formats/gguf_tokenizer.h"
#include "laurel/formats/shard_writer.h"
#include "laurel/formats/tensor_store.h"

namespace laurel::formats {
namespace {

constexpr std::int64_t kChunkElements = std::int64_t{1} << 16;
constexpr std::uint64_t kProgressUnit = 1'000'000;

// Where a tensor comes from and what becomes of it.
struct TensorSource {
  const GgufTensor* tensor;
  // For q and k of llama: heads whose rows the GGUF converter reordered, so that rotary pairs are
  // adjacent. 0: none.
  std::int64_t reordered_heads = 0;
};

// Row of the GGUF tensor that holds row `row` of the Hugging Face tensor.
std::int64_t source_row(std::int64_t row, std::int64_t num_rows, std::int64_t reordered_heads) {
  if (reordered_heads == 0) return row;
  const std::int64_t head_dim = num_rows / reordered_heads, half = head_dim / 2;
  const std::int64_t head = row / head_dim, within = row % head_dim;
  return head * head_dim + 2 * (within % half) + within / half;
}

// Passes values to the sink as float32 or bfloat16.
class ValueWriter {
 public:
  ValueWriter(DType dtype, const ByteSink& sink) : dtype_(dtype), sink_(sink) {}

  void write(std::span<const float> values) {
    if (dtype_ == DType::kF32) {
      sink_(std::as_bytes(values));
      return;
    }
    halves_.resize(values.size());
    std::transform(values.begin(), values.end(), halves_.begin(), float_to_bf16);
    sink_(std::as_bytes(std::span<const std::uint16_t>(halves_)));
  }

 private:
  DType dtype_;
  const ByteSink& sink_;
  std::vector<std::uint16_t> halves_;
};

void produce(const TensorSource& source, DType dtype, const ByteSink& sink) {
  const GgufTensor& tensor = *source.tensor;
  // A bias is a column of rows of one element.
  const bool is_vector = tensor.shape.size() == 1;
  const std::int64_t row_elements =
      is_vector && source.reordered_heads != 0 ? 1 : tensor.shape.back();
  const std::int64_t num_rows = is_vector ? tensor.shape[0] / row_elements : tensor.shape[0];
  const auto row_bytes = static_cast<std::size_t>(dtype_bytes(tensor.dtype, row_elements));
  const auto row_data = [&](std::int64_t row) {
    const std::int64_t from = source_row(row, num_rows, source.reordered_heads);
    return tensor.data.subspan(static_cast<std::size_t>(from) * row_bytes, row_bytes);
  };
  if (dtype == tensor.dtype) {
    for (std::int64_t row = 0; row < num_rows; ++row) sink(row_data(row));
    return;
  }
  ValueWriter writer(dtype, sink);
  std::vector<float> values;
  const std::int64_t chunk_rows = std::max<std::int64_t>(1, kChunkElements / row_elements);
  for (std::int64_t begin = 0; begin < num_rows; begin += chunk_rows) {
    const std::int64_t count = std::min(chunk_rows, num_rows - begin);
    values.resize(static_cast<std::size_t>(count * row_elements));
    for (std::int64_t i = 0; i < count; ++i) {
      values_of(tensor.dtype, row_data(begin + i).data(), row_elements,
                values.data() + i * row_elements);
    }
    writer.write(values);
  }
}

// Collects the tensors of a decoder and notes which of the file's were used.
class TensorPlanner {
 public:
  TensorPlanner(const GgufFile& gguf, std::optional<DType> dtype) : gguf_(gguf), dtype_(dtype) {}

  void add(const std::string& gguf_name, const std::string& name, std::vector<std::int64_t> shape,
           std::int64_t reordered_heads = 0) {
    const auto found = gguf_.tensors().find(gguf_name);
    if (found == gguf_.tensors().end()) {
      throw UserError("{}: tensor {} is missing, expected {}", gguf_.name(), gguf_name,
                      shape_text(shape));
    }
    const GgufTensor& tensor = found->second;
    if (tensor.shape != shape) {
      throw UserError("{}: tensor {}: wrong shape, expected {}, got {}", gguf_.name(), gguf_name,
                      shape_text(shape), shape_text(tensor.shape));
    }
    if (shape.size() == 1 && reordered_heads != 0 && is_quantized(tensor.dtype)) {
      throw UserError("{}: tensor {}: expected a bias of F32, F16 or BF16, got {}", gguf_.name(),
                      gguf_name, dtype_name(tensor.dtype));
    }
    used_.insert(gguf_name);
    const TensorSource source{&tensor, reordered_heads};
    const DType dtype = dtype_.value_or(tensor.dtype);
    tensors_.push_back({name, dtype, std::move(shape),
                        [source, dtype](const ByteSink& sink) { produce(source, dtype, sink); }});
  }

  void ignore(const std::string& gguf_name) { used_.insert(gguf_name); }

  std::vector<TensorToWrite> take() {
    for (const auto& [name, tensor] : gguf_.tensors()) {
      if (!used_.contains(name)) {
        throw UserError("{}: tensor {}: not part of the architecture, shape {}", gguf_.name(), name,
                        shape_text(tensor.shape));
      }
    }
    return std::move(tensors_);
  }

 private:
  const GgufFile& gguf_;
  std::optional<DType> dtype_;
  std::set<std::string> used_;
  std::vector<TensorToWrite> tensors_;
};

void plan_layer(TensorPlanner& planner, const GgufDecoder& d, std::int64_t layer) {
  const std::int64_t hidden = d.hidden_size, q_size = d.num_heads * d.head_dim,
                     kv_size = d.num_key_value_heads * d.head_dim;
  const auto add = [&](std::string_view gguf_name, std::string_view name,
                       std::vector<std::int64_t> shape, std::int64_t heads = 0) {
    planner.add(fmt::format("blk.{}.{}", layer, gguf_name),
                fmt::format("model.layers.{}.{}", layer, name), std::move(shape),
                d.is_llama() ? heads : 0);
  };
  add("attn_norm.weight", "input_layernorm.weight", {hidden});
  add("attn_q.weight", "self_attn.q_proj.weight", {q_size, hidden}, d.num_heads);
  add("attn_k.weight", "self_attn.k_proj.weight", {kv_size, hidden}, d.num_key_value_heads);
  add("attn_v.weight", "self_attn.v_proj.weight", {kv_size, hidden});
  add("attn_output.weight", "self_attn.o_proj.weight", {hidden, q_size});
  add("ffn_norm.weight", "post_attention_layernorm.weight", {hidden});
  add("ffn_gate.weight", "mlp.gate_proj.weight", {d.intermediate_size, hidden});
  add("ffn_up.weight", "mlp.up_proj.weight", {d.intermediate_size, hidden});
  add("ffn_down.weight", "mlp.down_proj.weight", {hidden, d.intermediate_size});
  if (d.qkv_bias) {
    add("attn_q.bias", "self_attn.q_proj.bias", {q_size}, d.num_heads);
    add("attn_k.bias", "self_attn.k_proj.bias", {kv_size}, d.num_key_value_heads);
    add("attn_v.bias", "self_attn.v_proj.bias", {kv_size});
  }
  if (d.output_bias) add("attn_output.bias", "self_attn.o_proj.bias", {hidden});
  if (d.mlp_bias) {
    add("ffn_gate.bias", "mlp.gate_proj.bias", {d.intermediate_size});
    add("ffn_up.bias", "mlp.up_proj.bias", {d.intermediate_size});
    add("ffn_down.bias", "mlp.down_proj.bias", {hidden});
  }
}

// Tensors in order, cut where the next one would go beyond the limit.
}  // namespace

GgufConversion plan_gguf_conversion(const GgufFile& gguf, std::optional<DType> dtype) {
  const GgufDecoder decoder = read_gguf_decoder(gguf);
  TensorPlanner planner(gguf, dtype);
  planner.add("token_embd.weight", "model.embed_tokens.weight",
              {decoder.vocab_size, decoder.hidden_size});
  for (std::int64_t layer = 0; layer < decoder.num_layers; ++layer)
    plan_layer(planner, decoder, layer);
  planner.add("output_norm.weight", "model.norm.weight", {decoder.hidden_size});
  if (!decoder.tied_embeddings) {
    planner.add("output.weight", "lm_head.weight", {decoder.vocab_size, decoder.hidden_size});
  }
  planner.ignore("rope_freqs.weight");  // became rope_scaling
  GgufConversion conversion;
  Json config = make_config(gguf, decoder, dtype == DType::kBF16 ? "bfloat16" : "float32");
  if (!dtype) {
    config["quantization_config"] = {{"quant_method", kBlocksMethod}, {"version", kBlocksVersion}};
  }
  conversion.architecture = config["architectures"][0];
  conversion.tensors = planner.take();
  conversion.files = make_tokenizer_files(gguf, decoder.max_length);
  conversion.files["config.json"] = to_text(config);
  conversion.files["generation_config.json"] = to_text(make_generation_config(gguf));
  return conversion;
}

GgufConvertResult convert_gguf(const GgufConvertOptions& options) {
  if (options.dtype && options.dtype != DType::kF32 && options.dtype != DType::kBF16) {
    throw UserError("unsupported element type {}, expected F32 or BF16",
                    dtype_name(*options.dtype));
  }
  const MappedFile file(options.from);
  const GgufFile gguf = GgufFile::parse(file.bytes(), options.from.string());
  GgufConversion conversion = plan_gguf_conversion(gguf, options.dtype);
  GgufConvertResult result{.architecture = conversion.architecture,
                           .num_tensors = static_cast<std::int64_t>(conversion.tensors.size())};
  for (const TensorToWrite& tensor : conversion.tensors) {
    result.num_bytes += data_size(tensor);
    std::int64_t count = 1;
    for (const std::int64_t extent : tensor.shape) count *= extent;
    result.num_parameters += count;
  }
  AtomicDirectory directory(options.to);
  for (const auto& [name, text] : conversion.files) write_file(directory.staging() / name, text);
  Progress progress("writing", "MB", static_cast<std::int64_t>(result.num_bytes / kProgressUnit));
  ShardOptions shards;
  shards.max_bytes = options.max_shard_bytes;
  shards.on_written = [&](std::uint64_t written) {
    progress.update(static_cast<std::int64_t>(written / kProgressUnit));
  };
  result.num_shards = write_sharded(directory.staging(), std::move(conversion.tensors), shards);
  progress.finish();
  directory.commit();
  return result;
}

}  // namespace laurel::formats
