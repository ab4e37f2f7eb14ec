// The trainable model beside the one for inference; what it starts from, exports and refuses.
#include "laurel/model/trainable_model.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/base/half.h"
#include "laurel/base/test_support.h"
#include "laurel/formats/safetensors_writer.h"
#include "laurel/model/adapter.h"
#include "laurel/model/initialization.h"
#include "laurel/model/reward_model.h"
#include "laurel/model/training_test_support.h"

namespace laurel::model {
namespace {

namespace fs = std::filesystem;

constexpr Recompute kRecomputes[] = {Recompute::kNone, Recompute::kAttention, Recompute::kBlock};

TrainableOptions with_lora(std::vector<std::string> targets, std::int64_t freeze_layers = 0) {
  TrainableOptions options;
  options.freeze_layers = freeze_layers;
  options.lora = LoraOptions{4, 6, std::move(targets)};
  return options;
}

TEST(TrainableModel, GivesTheBitsOfInference) {
  ThreadPool pool(2);
  for (const char* name : {"llama", "llama_bias_head_dim", "llama_rope_yarn", "qwen2_window"}) {
    const GradientCase golden(name);
    const packing::Pack pack = golden.pack();
    const RewardModel inference({golden.directory, {}, Precision::kF32}, pool);
    const std::vector<float> expected = inference.forward(pack, pool);
    for (const Recompute recompute : kRecomputes) {
      for (const std::int64_t frozen : {0, 1, 2}) {
        TrainableOptions options;
        options.freeze_layers = frozen;
        options.recompute = recompute;
        TrainableModel model = golden.model(options, pool);
        EXPECT_EQ(model.forward(pack, {}, pool), expected) << name << ", frozen " << frozen;
        EXPECT_EQ(model.evaluate(pack, pool), expected) << name << ", frozen " << frozen;
      }
    }
    TrainableModel adapted = golden.model(with_lora({"q_proj", "down_proj"}), pool);
    EXPECT_EQ(adapted.forward(pack, {}, pool), expected) << name;  // B is 0 at the start
  }
}

TEST(TrainableModel, NamesParametersAsTheCheckpointDoes) {
  ThreadPool pool(1);
  const GradientCase golden("llama");
  TrainableModel model = golden.model({}, pool);
  EXPECT_EQ(model.parameters().size(), 1u + 2 * 9 + 2);
  EXPECT_EQ(model.parameters().front().name, "model.embed_tokens.weight");
  EXPECT_EQ(model.parameters().back().name, "score.weight");
  for (const Parameter& parameter : model.parameters()) {
    EXPECT_EQ(model.tensor_dtype(parameter.name), DType::kF32);
    EXPECT_EQ(model.tensor(parameter.name),
              std::vector<float>(parameter.value.begin(), parameter.value.end()));
  }

  const TrainableModel adapted = golden.model(with_lora({"v_proj", "up_proj"}, 1), pool);
  std::vector<std::string> names;
  for (const Parameter& parameter : adapted.parameters()) names.push_back(parameter.name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"model.layers.1.self_attn.v_proj.lora_A.weight",
                                      "model.layers.1.self_attn.v_proj.lora_B.weight",
                                      "model.layers.1.mlp.up_proj.lora_A.weight",
                                      "model.layers.1.mlp.up_proj.lora_B.weight", "score.weight"}));
  EXPECT_EQ(adapted.tensor_dtype("model.norm.weight"), DType::kBF16);  // as stored
  EXPECT_EQ(adapted.tensor("model.norm.weight"), model.tensor("model.norm.weight"));
}

// A folder for files that a test writes, and stores that lack or change tensors.
class Base : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / fmt::format("laurel_trainable_{}", ::getpid());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  using Values = std::vector<float>;
  static formats::TensorToWrite tensor(const std::string& name, std::vector<std::int64_t> shape,
                                       Values values) {
    return {name, DType::kF32, std::move(shape),
            [values](const formats::ByteSink& sink) { sink(std::as_bytes(std::span(values))); }};
  }

  // The golden checkpoint without the tensors of this ending, with another if that has a name.
  formats::TensorStore without(const std::string& ending, formats::TensorToWrite added = {}) {
    std::vector<formats::TensorToWrite> tensors;
    const formats::TensorStore store = formats::TensorStore::open(golden_.directory);
    for (const auto& [name, view] : store.tensors()) {
      if (name.ends_with(ending)) continue;
      tensors.push_back({name, view.dtype, view.shape,
                         [&view = view](const formats::ByteSink& sink) { sink(view.data); }});
    }
    if (!added.name.empty()) tensors.push_back(std::move(added));
    formats::write_safetensors(folder_ / "model.safetensors", std::move(tensors));
    return formats::TensorStore::open(folder_);
  }

  std::string error_of(formats::TensorStore store, const TrainableOptions& options = {}) {
    std::string text =
        error_text<UserError>([&] { TrainableModel(config_, std::move(store), options, pool_); });
    if (const auto at = text.find(folder_.string()); at != std::string::npos) {
      text.erase(at, folder_.string().size());
    }
    return text;
  }
  std::string error_of(const TrainableOptions& options) {
    return error_of(formats::TensorStore::open(golden_.directory), options);
  }

  fs::path folder_;
  GradientCase golden_{"llama"};
  ModelConfig config_ = read_config(golden_.directory);
  ThreadPool pool_{2};
};

TEST_F(Base, AdaptersAreThoseThatPeftMerges) {
  const packing::Pack pack = golden_.pack();
  TrainableModel model =
      golden_.model(with_lora({"q_proj", "k_proj", "o_proj", "gate_proj", "down_proj"}), pool_);
  std::vector<formats::TensorToWrite> tensors;
  for (Parameter& parameter : model.parameters()) {
    fill_normal(parameter.value, 0.2, 5, parameter.name);
    tensors.push_back(tensor("base_model.model." + parameter.name, parameter.shape,
                             {parameter.value.begin(), parameter.value.end()}));
  }
  formats::write_safetensors(folder_ / "adapter_model.safetensors", std::move(tensors));
  write_file(folder_ / "adapter_config.json", R"({"peft_type": "LORA", "r": 4, "lora_alpha": 6})");

  const RewardModel merged({golden_.directory, folder_, Precision::kF32}, pool_);
  const std::vector<float> expected = merged.forward(pack, pool_);
  const std::vector<float> plain =
      RewardModel({golden_.directory, {}, Precision::kF32}, pool_).forward(pack, pool_);
  EXPECT_LT(relative_distance(model.evaluate(pack, pool_), expected), 1e-5);
  EXPECT_LT(relative_distance(model.forward(pack, {}, pool_), expected), 1e-5);
  EXPECT_GT(relative_distance(plain, expected), 0.1);
}

TEST_F(Base, WithoutAHeadGetsARandomOne) {
  const auto head = [&](formats::TensorStore store, std::uint64_t seed, bool reset = false) {
    TrainableOptions options;
    options.seed = seed;
    options.reset_head = reset;
    return TrainableModel(config_, std::move(store), options, pool_).tensor("score.weight");
  };
  const Values first = head(without("score.weight"), 1);
  EXPECT_EQ(head(without("score.weight"), 1), first);
  EXPECT_NE(head(without("score.weight"), 2), first);
  EXPECT_EQ(head(without("none"), 1, true), first);
  EXPECT_NE(head(without("none"), 1), first);
  EXPECT_EQ(head(without("none", tensor("lm_head.weight", {1}, {0})), 1), head(without("none"), 1));
}

TEST(Initialization, HasTheMomentsOfItsDistribution) {
  constexpr std::size_t kCount = 100'000;
  std::vector<float> normal(kCount), uniform(kCount);
  fill_normal(normal, 0.5, 3, "a");
  fill_uniform(uniform, 0.5, 3, "a");
  const auto moments = [](const std::vector<float>& values) {
    const double mean = std::accumulate(values.begin(), values.end(), 0.0) / kCount;
    double square = 0;
    for (const float value : values) square += (value - mean) * (value - mean) / kCount;
    return std::pair(mean, std::sqrt(square));
  };
  EXPECT_NEAR(moments(normal).first, 0, 5 * 0.5 / std::sqrt(kCount));  // five standard errors
  EXPECT_NEAR(moments(normal).second, 0.5, 5 * 0.5 / std::sqrt(2 * kCount));
  EXPECT_NEAR(moments(uniform).first, 0, 5 * 0.29 / std::sqrt(kCount));
  EXPECT_NEAR(moments(uniform).second, 0.5 / std::sqrt(3), 0.005);
  EXPECT_LE(*std::max_element(uniform.begin(), uniform.end()), 0.5f);
  EXPECT_GE(*std::min_element(uniform.begin(), uniform.end()), -0.5f);
}

TEST_F(Base, AdaptersStartAsPeftStartsThem) {
  TrainableModel model = golden_.model(with_lora({"down_proj"}), pool_);
  const float bound = 1 / std::sqrt(static_cast<float>(config_.intermediate_size));
  for (const Parameter& parameter : model.parameters()) {
    const auto [least, greatest] =
        std::minmax_element(parameter.value.begin(), parameter.value.end());
    if (parameter.name.ends_with("lora_A.weight")) {
      EXPECT_LE(*greatest, bound);
      EXPECT_GE(*least, -bound);
      EXPECT_GT(*greatest - *least, bound);
    } else if (parameter.name.ends_with("lora_B.weight")) {
      EXPECT_EQ(*greatest, 0);
      EXPECT_EQ(*least, 0);
    }
  }
}

TEST_F(Base, NewTokensAreTheMeanOfTheOld) {
  const std::string name = "model.embed_tokens.weight";
  const Values old = golden_.model({}, pool_).tensor(name);
  const auto hidden = static_cast<std::size_t>(config_.hidden_size);
  config_.vocab_size += 2;
  for (const std::int64_t frozen : {0, 1}) {
    TrainableOptions options;
    options.freeze_layers = frozen;
    TrainableModel model(config_, formats::TensorStore::open(golden_.directory), options, pool_);
    const Values grown = model.tensor(name);
    EXPECT_EQ(model.tensor_dtype(name), frozen == 0 ? DType::kF32 : DType::kBF16);
    ASSERT_EQ(grown.size(), old.size() + 2 * hidden);
    EXPECT_TRUE(std::equal(old.begin(), old.end(), grown.begin()));
    for (std::size_t c = 0; c < hidden; ++c) {
      double sum = 0;
      for (std::size_t i = c; i < old.size(); i += hidden) sum += old[i];
      auto mean = static_cast<float>(sum / static_cast<double>(old.size() / hidden));
      if (frozen != 0) mean = bf16_to_float(float_to_bf16(mean));
      EXPECT_EQ(grown[old.size() + c], mean);
      EXPECT_EQ(grown[old.size() + hidden + c], mean);
    }
    const std::vector<std::int32_t> tokens{5, 48, 49};
    const std::vector<packing::Sequence> sequences{{tokens, 0}};
    EXPECT_TRUE(std::isfinite(model.evaluate(packing::plan_packs(sequences).at(0), pool_).at(0)));
  }
}

TEST_F(Base, RefusesWhatItCannotUse) {
  EXPECT_EQ(error_of(without("layers.1.mlp.up_proj.weight")),
            ": tensor model.layers.1.mlp.up_proj.weight: missing, expected shape [40, 24]");
  EXPECT_EQ(error_of(without("model.norm.weight", tensor("model.norm.weight", {2}, {1, 1}))),
            "/model.safetensors: tensor model.norm.weight: wrong shape, expected [24], got [2]");
  EXPECT_EQ(error_of(without("score.weight", tensor("score.weight", {2}, {1, 1}))),
            "/model.safetensors: tensor score.weight: wrong shape, expected [1, 24], got [2]");
  EXPECT_EQ(error_of(without("none", tensor("score.bias", {1}, {1}))),
            "/model.safetensors: tensor score.bias: unexpected, no tensor of this name among the "
            "21 of this architecture");
  config_.vocab_size = 40;
  EXPECT_EQ(error_of(without("none")),
            "/model.safetensors: tensor model.embed_tokens.weight: wrong shape, expected "
            "[40, 24], got [48, 24]");
}

TEST_F(Base, RefusesOptionsThatDoNotFit) {
  TrainableOptions options;
  options.freeze_layers = 3;
  EXPECT_EQ(error_of(options), "option freeze-layers: expected a number from 0 to 2, got 3");
  options.freeze_layers = -1;
  EXPECT_EQ(error_of(options), "option freeze-layers: expected a number from 0 to 2, got -1");
  EXPECT_EQ(error_of(with_lora({})), "option lora-targets: expected one or more, got none");
  EXPECT_EQ(
      error_of(with_lora({"q_proj", "lm_head"})),
      "option lora-targets: no layer \"lm_head\", expected any of q_proj, k_proj, v_proj, o_proj, "
      "gate_proj, up_proj, down_proj");
  options = with_lora({"q_proj"});
  options.lora->rank = 0;
  EXPECT_EQ(error_of(options), "option lora-rank: expected 1 or more, got 0");
  config_.num_labels = 2;
  EXPECT_EQ(error_of(TrainableOptions{}), "config: expected one label (a reward), got 2");
}

TEST_F(Base, RefusesMisuse) {
  const packing::Pack pack = golden_.pack();
  TrainableModel model = golden_.model({}, pool_);
  const auto message = [&](auto action) { return error_text<InternalError>(action); };
  const std::vector<float> slopes(pack.score_points.size());
  EXPECT_EQ(message([&] { model.backward(slopes, pool_); }), "backward: no forward pass before it");
  model.forward(pack, {}, pool_);
  EXPECT_EQ(message([&] { model.backward(std::span(slopes).first(2), pool_); }),
            "backward: expected 8 gradients of rewards, got 2");
  model.backward(slopes, pool_);
  EXPECT_EQ(message([&] { model.backward(slopes, pool_); }), "backward: no forward pass before it");
  EXPECT_EQ(message([&] { model.frozen_states(pack, pool_); }), "frozen_states: no frozen layers");
  EXPECT_EQ(
      message([&] {
        model.forward(pack, {slopes.data(), 1, 3, 3}, pool_);
      }),
      fmt::format("forward: frozen states of shape [1, 3], expected [{}, 24]", pack.tokens.size()));
  EXPECT_EQ(message([&] { model.tensor("score.bias"); }), "tensor score.bias: not in the model");
  EXPECT_EQ(message([&] { model.tensor_dtype("score.bias"); }),
            "tensor score.bias: not in the model");
  packing::Pack foreign = pack;
  foreign.tokens[0] = 48;
  EXPECT_EQ(message([&] { model.forward(foreign, {}, pool_); }),
            "forward: token id 48 outside the vocabulary of 48");
}

TEST_F(Base, MemoryIsCountedFromTheShape) {
  const std::int64_t layer = 2 * 24 + 2 * 24 * 24 + 2 * 12 * 24 + 3 * 24 * 40;
  const std::int64_t all = 48 * 24 + 2 * layer + 24 + 24;
  TrainableOptions options;
  TrainingMemory memory = TrainableModel::memory(config_, options, DType::kBF16);
  EXPECT_EQ(memory.weight_bytes, 4 * all);
  EXPECT_EQ(memory.gradient_bytes, 4 * all);
  EXPECT_EQ(memory.bytes_per_row, 4 * (24 + 2 * (24 + 2 * 24 + 2 * 12 + 4 + 24 + 2 * 40)));

  options.recompute = Recompute::kAttention;
  EXPECT_EQ(TrainableModel::memory(config_, options, DType::kBF16).bytes_per_row,
            4 * (24 + 2 * (24 + 24 + 2 * 40)));
  options.recompute = Recompute::kBlock;
  EXPECT_EQ(TrainableModel::memory(config_, options, DType::kBF16).bytes_per_row,
            4 * (24 + 2 * 24));

  options.freeze_layers = 1;
  memory = TrainableModel::memory(config_, options, DType::kBF16);
  EXPECT_EQ(memory.gradient_bytes, 4 * (layer + 24 + 24));
  EXPECT_EQ(memory.weight_bytes, memory.gradient_bytes + 2 * (48 * 24 + layer));
  EXPECT_EQ(memory.bytes_per_row, 4 * (24 + 24));

  memory = TrainableModel::memory(config_, with_lora({"k_proj"}), DType::kBF16);
  EXPECT_EQ(memory.gradient_bytes, 4 * (2 * 4 * (24 + 12) + 24));
  EXPECT_EQ(memory.weight_bytes, memory.gradient_bytes + 2 * (all - 24));
}

}  // namespace
}  // namespace laurel::model
