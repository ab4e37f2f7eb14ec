// A tiny checkpoint and tiny training sets for the tests of this module.
#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "laurel/base/file.h"
#include "laurel/base/json.h"
#include "laurel/base/random.h"
#include "laurel/data/training_set.h"
#include "laurel/formats/safetensors_writer.h"
#include "laurel/model/decoder_weights.h"
#include "laurel/model/trainable_model.h"

namespace laurel::train {

// A folder of this test, empty at first and removed at the end.
class TestFolder {
 public:
  TestFolder() {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    path_ = std::filesystem::path(testing::TempDir()) /
            (std::string("laurel_train_") + info->test_suite_name() + "_" + info->name());
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// A file may not grow beyond this many bytes while the object lives: what a full disk does to us.
class SmallDisk {
 public:
  explicit SmallDisk(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit small = {bytes, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
    old_handler_ = std::signal(SIGXFSZ, SIG_IGN);
  }
  ~SmallDisk() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit old_;
  void (*old_handler_)(int);
};

inline Json tiny_config() {
  return {{"architectures", {"LlamaForCausalLM"}},
          {"hidden_size", 16},
          {"intermediate_size", 24},
          {"num_hidden_layers", 2},
          {"num_attention_heads", 4},
          {"num_key_value_heads", 2},
          {"vocab_size", 20}};
}

// config.json and random tensors of a language model.
inline void write_tiny_checkpoint(const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory);
  write_file(directory / "config.json", to_text(tiny_config()));
  const model::ModelConfig config = model::parse_config(tiny_config());
  Random random(5);
  std::vector<formats::TensorToWrite> tensors;
  for (const model::ExpectedTensor& expected : model::expected_tensors(config)) {
    if (expected.name == "score.weight") continue;
    std::int64_t count = 1;
    for (const std::int64_t extent : expected.shape) count *= extent;
    std::vector<float> values;
    for (std::int64_t i = 0; i < count; ++i) {
      values.push_back(static_cast<float>(random.between(-1000, 1000)) / 4000.0f);
    }
    tensors.push_back(
        {expected.name, DType::kF32, expected.shape,
         [values](const formats::ByteSink& sink) { sink(std::as_bytes(std::span(values))); }});
  }
  formats::write_safetensors(directory / "model.safetensors", std::move(tensors));
}

inline model::TrainableModel open_tiny(const std::filesystem::path& directory, ThreadPool& pool,
                                       const model::TrainableOptions& options = {}) {
  return {model::read_config(directory), formats::TensorStore::open(directory), options, pool};
}

// Pairs that differ in their last tokens: one that ends in 7 is better.
inline data::TrainingSet tiny_set(std::int64_t count) {
  Random random(9);
  data::TrainingSet set;
  set.sources = {"pairs.jsonl"};
  for (std::int64_t i = 0; i < count; ++i) {
    std::vector<std::int32_t> prompt;
    for (int k = 0; k < 4; ++k) prompt.push_back(static_cast<std::int32_t>(random.between(0, 19)));
    std::vector<std::int32_t> chosen = prompt, rejected = prompt;
    chosen.insert(chosen.end(), {static_cast<std::int32_t>(random.between(8, 19)), 7});
    rejected.insert(rejected.end(), {static_cast<std::int32_t>(random.between(8, 19)), 3});
    set.examples.push_back({{chosen, rejected}, 0, 0, i + 1});
  }
  return set;
}

inline std::vector<std::vector<float>> values_of(const model::TrainableModel& model) {
  std::vector<std::vector<float>> values;
  for (const model::Parameter& parameter : model.parameters()) {
    values.emplace_back(parameter.value.begin(), parameter.value.end());
  }
  return values;
}

}  // namespace laurel::train
