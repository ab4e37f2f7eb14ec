// Gradients of tiny models against autograd, and against themselves by other roads.
#include <gtest/gtest.h>

#include <algorithm>

#include "laurel/model/adapter.h"
#include "laurel/model/reward_model.h"
#include "laurel/model/training_test_support.h"

namespace laurel::model {
namespace {

const char* const kCases[] = {
    "llama", "llama_bias_head_dim", "llama_rope_llama3", "llama_rope_yarn",
    "qwen2", "qwen2_window"};
const char* const kLoraCase = "llama_lora";

TrainableOptions lora_options() {
  TrainableOptions options;
  options.freeze_layers = 1;
  options.lora = LoraOptions{};
  options.lora->rank = 3;
  options.lora->alpha = 5;
  return options;
}

void set_values(TrainableModel& model, const std::filesystem::path& file) {
  const formats::TensorStore store = formats::TensorStore::open_file(file);
  ASSERT_EQ(store.tensors().size(), model.parameters().size());
  for (Parameter& parameter : model.parameters()) {
    const formats::TensorView* view = store.find(parameter.name);
    ASSERT_NE(view, nullptr) << parameter.name;
    ASSERT_EQ(view->shape, parameter.shape) << parameter.name;
    const std::vector<float> values = to_float(*view);
    std::copy(values.begin(), values.end(), parameter.value.begin());
  }
}

// As near to float64 as the peer's float32, times a factor for another order of additions.
void expect_peer_gradients(const GradientCase& golden, TrainableModel& model, ThreadPool& pool) {
  const packing::Pack pack = golden.pack();
  const PairLoss loss(pack, model.forward(pack, {}, pool));
  EXPECT_NEAR(loss.loss, golden.loss, 1e-5 * golden.loss);
  model.backward(loss.d_rewards, pool);
  const formats::TensorStore store =
      formats::TensorStore::open_file(golden.directory / "gradients.safetensors");
  const Tensors gradients = gradients_of(model);
  EXPECT_EQ(store.tensors().size(), gradients.size());
  const double bound = 4 * golden.peer_error;
  for (const auto& [name, view] : store.tensors()) {
    ASSERT_TRUE(gradients.contains(name)) << name;
    const std::vector<float> expected = to_float(view);
    ASSERT_EQ(gradients.at(name).size(), expected.size()) << name;
    EXPECT_LT(relative_distance(gradients.at(name), expected), bound) << name;
  }
}

TEST(Gradients, OfEachFamilyMatchAutograd) {
  ThreadPool pool(2);
  for (const char* name : kCases) {
    SCOPED_TRACE(name);
    const GradientCase golden(name);
    TrainableModel model = golden.model({}, pool);
    expect_peer_gradients(golden, model, pool);
  }
}

TEST(Gradients, OfLowRankAdaptersMatchAutograd) {
  ThreadPool pool(2);
  const GradientCase golden(kLoraCase);
  TrainableModel model = golden.model(lora_options(), pool);
  set_values(model, golden.directory / "adapter.safetensors");
  expect_peer_gradients(golden, model, pool);
}

TEST(Gradients, HaveTheSameBitsForAnyNumberOfThreadsAndAnyRecomputation) {
  ThreadPool one(1);
  for (const char* name : {"llama_bias_head_dim", "qwen2_window", kLoraCase}) {
    const GradientCase golden(name);
    const packing::Pack pack = golden.pack();
    TrainableOptions options = name == kLoraCase ? lora_options() : TrainableOptions{};
    TrainableModel reference = golden.model(options, one);
    const Tensors expected = train_once(reference, pack, one);
    for (const Recompute recompute : {Recompute::kNone, Recompute::kAttention, Recompute::kBlock}) {
      for (const int threads : {1, 2, 5}) {
        ThreadPool pool(threads);
        options.recompute = recompute;
        TrainableModel model = golden.model(options, pool);
        EXPECT_EQ(train_once(model, pack, pool), expected)
            << name << ", " << threads << " threads, recompute " << static_cast<int>(recompute);
      }
    }
  }
}

TEST(Gradients, OfASharedForestAreThoseOfCopies) {
  ThreadPool pool(2);
  for (const char* name : kCases) {
    const GradientCase golden(name);
    TrainableModel model = golden.model({}, pool);
    const packing::Pack shared = golden.pack(true), copies = golden.pack(false);
    ASSERT_LT(2 * shared.tokens.size(), copies.tokens.size());
    const Tensors expected = train_once(model, copies, pool);
    for (const auto& [tensor, gradient] : train_once(model, shared, pool)) {
      EXPECT_LT(relative_distance(gradient, expected.at(tensor)), 8 * golden.peer_error)
          << name << " " << tensor;
    }
  }
}

TEST(Gradients, OfFrozenLayersAreMissingAndTheOthersTheSame) {
  ThreadPool pool(2);
  for (const char* name : {"llama", "qwen2_window"}) {
    const GradientCase golden(name);
    const packing::Pack pack = golden.pack();
    TrainableModel whole = golden.model({}, pool);
    const Tensors expected = train_once(whole, pack, pool);
    for (const std::int64_t frozen : {1, 2}) {
      TrainableOptions options;
      options.freeze_layers = frozen;
      TrainableModel model = golden.model(options, pool);
      const Tensors gradients = train_once(model, pack, pool);
      EXPECT_EQ(gradients.size(), frozen == 2 ? 2 : (expected.size() - 3) / 2 + 2);
      for (const auto& [tensor, gradient] : gradients) EXPECT_EQ(gradient, expected.at(tensor));

      std::vector<float> states = model.frozen_states(pack, pool);
      const auto rows = static_cast<std::int64_t>(pack.tokens.size());
      const std::int64_t hidden = model.config().hidden_size;
      EXPECT_EQ(train_once(model, pack, pool, {states.data(), rows, hidden, hidden}), gradients);
    }
  }
}

// Along the gradient, the loss rises by the gradient's squared norm.
TEST(Gradients, AreTheSlopeOfTheLoss) {
  ThreadPool pool(1);
  for (const char* name : {"llama_rope_yarn", "qwen2"}) {
    const GradientCase golden(name);
    const packing::Pack pack = golden.pack();
    TrainableModel model = golden.model({}, pool);
    train_once(model, pack, pool);
    const auto loss_at = [&](double step) {
      for (Parameter& p : model.parameters()) {
        for (std::size_t i = 0; i < p.value.size(); ++i) {
          p.value[i] += static_cast<float>(step) * p.gradient[i];
        }
      }
      return PairLoss(pack, model.evaluate(pack, pool)).loss;
    };
    double squared_norm = 0;
    for (const Parameter& p : model.parameters()) {
      for (const float g : p.gradient) squared_norm += static_cast<double>(g) * g;
    }
    const double step = 1e-3 / squared_norm;
    const double above = loss_at(step), below = loss_at(-2 * step);
    EXPECT_NEAR((above - below) / (2 * step), squared_norm, 0.01 * squared_norm) << name;
  }
}

TEST(Gradients, AddUpOverBackwardPassesUntilCleared) {
  ThreadPool pool(2);
  const GradientCase golden("llama");
  const packing::Pack pack = golden.pack();
  TrainableModel model = golden.model({}, pool);
  const Tensors once = train_once(model, pack, pool);
  const PairLoss loss(pack, model.forward(pack, {}, pool));
  model.backward(loss.d_rewards, pool);
  for (const auto& [name, gradient] : gradients_of(model)) {
    std::vector<float> twice = once.at(name);
    for (float& value : twice) value *= 2;
    EXPECT_LT(relative_distance(gradient, twice), 1e-6) << name;
  }
  EXPECT_EQ(train_once(model, pack, pool), once);
}

// Packs of many sizes share the memory; what one leaves behind must not matter to the next.
TEST(Gradients, DoNotDependOnEarlierPacksOrEvaluations) {
  ThreadPool pool(2);
  const GradientCase golden("qwen2");
  const packing::Pack pack = golden.pack(), larger = golden.pack(false);
  for (const Recompute recompute : {Recompute::kNone, Recompute::kBlock}) {
    TrainableOptions options;
    options.recompute = recompute;
    TrainableModel model = golden.model(options, pool);
    const Tensors first = train_once(model, pack, pool);
    train_once(model, larger, pool);
    model.clear_gradients(pool);
    const PairLoss loss(pack, model.forward(pack, {}, pool));
    model.evaluate(larger, pool);
    model.backward(loss.d_rewards, pool);
    EXPECT_EQ(gradients_of(model), first);
  }
}

}  // namespace
}  // namespace laurel::model
