// Int8 packs whose tensors have any names, types and shapes: a model that loads computes rewards,
// any other is refused. A line of the input is a tensor, "name dtype size…"; its data are made up.
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/base/json.h"
#include "laurel/base/temporaries.h"
#include "laurel/base/thread_pool.h"
#include "laurel/model/reward_model.h"
#include "laurel/packing/forest.h"

namespace {

using laurel::Json;

constexpr std::uint64_t kMaxDataBytes = 1 << 16;

// Of the shapes in tests/corpus/int8_pack.
constexpr char kConfig[] = R"({
  "architectures": ["LlamaForSequenceClassification"], "model_type": "llama", "hidden_act": "silu",
  "hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2, "num_key_value_heads": 1,
  "num_hidden_layers": 2, "vocab_size": 20, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
  "rope_theta": 10000.0, "pad_token_id": 0, "num_labels": 1, "id2label": {"0": "LABEL_0"},
  "quantization_config": {"quant_method": "laurel-int8", "version": 4}
})";

std::uint64_t bytes_of(const std::string& dtype, const std::vector<std::uint64_t>& shape) {
  std::uint64_t bytes = dtype == "I8" ? 1 : dtype == "F16" || dtype == "BF16" ? 2 : 4;
  for (const std::uint64_t size : shape) {
    if (size > kMaxDataBytes) return kMaxDataBytes;
    bytes = std::min(bytes * size, kMaxDataBytes);
  }
  return bytes;
}

std::string safetensors_of(const std::string& lines) {
  Json header = Json::object();
  std::uint64_t end = 0;
  std::istringstream input(lines);
  for (std::string line; std::getline(input, line);) {
    std::istringstream fields(line);
    std::string name, dtype;
    fields >> name >> dtype;
    std::vector<std::uint64_t> shape;
    for (std::uint64_t size; fields >> size;) shape.push_back(size);
    const std::uint64_t begin = end;
    end += bytes_of(dtype, shape);
    if (end > kMaxDataBytes) break;
    header[name] = {{"dtype", dtype}, {"shape", shape}, {"data_offsets", {begin, end}}};
  }
  const std::string text =
      header.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);  // names of any bytes
  std::string file;
  for (int i = 0; i < 8; ++i) file.push_back(static_cast<char>(text.size() >> (8 * i) & 0xff));
  file += text;
  for (std::uint64_t i = 0; i < end; ++i) file.push_back(static_cast<char>(37 * i % 251));
  return file;
}

std::filesystem::path make_directory() {
  const auto path = std::filesystem::temp_directory_path() /
                    ("laurel_int8_pack_fuzz_" + std::to_string(::getpid()));
  std::filesystem::create_directories(path);
  laurel::write_file(path / "config.json", kConfig);
  return path;
}

void score(const std::filesystem::path& directory) {
  static laurel::ThreadPool pool(1);
  const laurel::model::RewardModel model({.directory = directory}, pool);
  const std::vector<std::int32_t> longer{1, 2, 3, 4, 5}, shorter{1, 2, 6};
  const std::vector<laurel::packing::Sequence> sequences{{longer, 0}, {shorter, 0}};
  for (const auto& pack : laurel::packing::plan_packs(sequences, {.separate_ends = true})) {
    if (model.forward(pack, pool).size() != pack.score_points.size()) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const laurel::Temporary directory(make_directory());
  const std::string lines(reinterpret_cast<const char*>(data), size);
  laurel::write_file(directory.path() / "model.safetensors", safetensors_of(lines));
  try {
    score(directory.path());
  } catch (const laurel::UserError&) {  // refused with a sentence
  }
  return 0;
}
