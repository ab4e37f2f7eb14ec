// Rewards with linear layers in int8: near those in float32, and the promises of any pass.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <random>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/base/json.h"
#include "laurel/kernels/ops.h"
#include "laurel/kernels/test_isas.h"
#include "laurel/model/golden_test_support.h"
#include "laurel/model/int8_pack.h"
#include "laurel/model/int8_weights.h"
#include "laurel/model/reward_model.h"

namespace laurel::model {
namespace {

namespace fs = std::filesystem;

const packing::PlanOptions kApart{.separate_ends = true};

Rows rows_of(const std::string& name) {
  return read_json_file(golden(name) / "expected.json")["input_ids"].get<Rows>();
}

RewardModel int8_model(const std::string& name, const std::string& adapter, ThreadPool& pool) {
  RewardModel model({golden(name), adapter.empty() ? fs::path() : golden(adapter)}, pool);
  model.quantize({}, pool);
  return model;
}

// Root mean square of a - b over that of a.
double relative_error(const std::vector<float>& a, const std::vector<float>& b) {
  double error = 0, scale = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    error += std::pow(double{a[i]} - double{b[i]}, 2);
    scale += std::pow(double{a[i]}, 2);
  }
  return std::sqrt(error / scale);
}

TEST(Int8Model, RewardsStayNearFloat32) {
  ThreadPool pool(2);
  for (const char* name : {"llama", "llama_bias_head_dim", "qwen2", "qwen2_window"}) {
    SCOPED_TRACE(name);
    const Rows rows = rows_of(name);
    const RewardModel exact({golden(name), {}, Precision::kF32}, pool);
    const RewardModel fast = int8_model(name, "", pool);
    const double error =
        relative_error(rewards_of(exact, rows, kApart, pool), rewards_of(fast, rows, kApart, pool));
    EXPECT_GT(error, 1e-5);  // it does round
    EXPECT_LT(error, 0.25);  // layers of 32 random inputs, where rounding averages out least
  }
}

// A pack of more rows than go through the MLP at once (ForwardPass::rows_of_mlp).
TEST(Int8Model, LargePacksGiveTheRewardsOfSmallOnes) {
  std::mt19937 rng(5);
  Rows rows(90);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t k = 0; k < 90 + i; ++k)
      rows[i].push_back(static_cast<std::int32_t>(rng() % 90));
  }
  ThreadPool pool(1);
  const RewardModel exact({golden("llama"), {}, Precision::kF32}, pool);
  const RewardModel fast = int8_model("llama", "", pool);
  for (const RewardModel* model : {&exact, &fast}) {
    const auto rewards = [&](std::int64_t max_tokens) {
      return rewards_of(*model, rows, {.max_tokens = max_tokens, .separate_ends = true}, pool);
    };
    EXPECT_EQ(rewards(20'000), rewards(1'000));
  }
}

TEST(Int8Model, AdaptersAreMergedBeforeWeightsAreQuantized) {
  ThreadPool pool(1);
  const Rows rows = rows_of("llama_lora");
  const RewardModel exact({golden("llama"), golden("llama_lora"), Precision::kF32}, pool);
  const RewardModel fast = int8_model("llama", "llama_lora", pool);
  const RewardModel base = int8_model("llama", "", pool);
  const std::vector<float> want = rewards_of(exact, rows, kApart, pool);
  EXPECT_LT(2 * relative_error(want, rewards_of(fast, rows, kApart, pool)),
            relative_error(want, rewards_of(base, rows, kApart, pool)));
}

TEST(Int8Model, BitsDoNotDependOnSharingBatchingOrThreads) {
  const Rows rows = rows_of("qwen2_window");
  for (const std::string& isa : kernels::testing::tested_isas()) {
    SCOPED_TRACE(isa);
    kernels::select_isa(isa);
    ThreadPool one(1);
    const RewardModel model = int8_model("qwen2_window", "", one);
    const std::vector<float> alone = rewards_of(model, rows, {1, true, true}, one);
    for (const int threads : {1, 2, 3}) {
      ThreadPool pool(threads);
      for (const std::int64_t batch : {64, 4096}) {
        for (const bool share : {false, true}) {
          EXPECT_EQ(rewards_of(model, rows, {batch, share, true}, pool), alone)
              << threads << " threads, batch " << batch << ", sharing " << share;
        }
      }
    }
  }
  kernels::select_isa("best");
}

// A prefix of another row is scored on its own, with sharing or without.
TEST(Int8Model, PrefixesOfRowsKeepTheirRewards) {
  ThreadPool pool(2);
  const RewardModel model = int8_model("llama", "", pool);
  Rows rows = rows_of("llama");
  const std::vector<std::int32_t> longest =
      *std::ranges::max_element(rows, {}, [](const auto& row) { return row.size(); });
  for (std::size_t size = 1; size < longest.size(); size += 3)
    rows.emplace_back(longest.begin(), longest.begin() + static_cast<std::ptrdiff_t>(size));
  EXPECT_EQ(rewards_of(model, rows, kApart, pool), rewards_of(model, rows, {1, true, true}, pool));
  EXPECT_THROW(rewards_of(model, rows, {}, pool), InternalError);
}

// The products are exact; the rest has the same bits on all sets that fuse multiply and add.
TEST(Int8Model, BitsAgreeBetweenInstructionSetsThatFuse) {
  const Rows rows = rows_of("llama");
  ThreadPool pool(1);
  const RewardModel model = int8_model("llama", "", pool);
  const std::vector<float> want = rewards_of(model, rows, kApart, pool);
  for (const std::string& isa : kernels::testing::tested_isas()) {
    if (!isa.starts_with("avx")) continue;
    kernels::select_isa(isa);
    EXPECT_EQ(rewards_of(model, rows, kApart, pool), want) << isa;
  }
  kernels::select_isa("best");
}

// A pack in a folder of its own, of tests/goldens/model/qwen2 with one layer in float.
class Int8Pack : public testing::Test {
 protected:
  Int8Pack() {
    directory_ = fs::path(testing::TempDir()) / "int8_pack";
    fs::remove_all(directory_);
    fs::create_directory(directory_);
    plan_["model.layers.1.mlp.down_proj"].stays_float = true;
    const RewardModel model({golden("qwen2")}, pool_);
    write_int8_pack(directory_, model.weights(), plan_, 1 << 30, pool_);
    set_quantization({{"quant_method", "laurel-int8"}, {"version", 4}});
  }
  ~Int8Pack() override { fs::remove_all(directory_); }

  void set_quantization(const Json& value) {
    Json config = read_json_file(golden("qwen2") / "config.json");
    config["quantization_config"] = value;
    write_file(directory_ / "config.json", to_text(config));
  }
  std::string error_of(const LoadOptions& options) {
    try {
      const RewardModel model(options, pool_);
    } catch (const UserError& error) {
      return error.what();
    }
    return "no error";
  }

  ThreadPool pool_{1};
  fs::path directory_;
  Int8Plan plan_;
};

TEST_F(Int8Pack, GivesTheBitsOfQuantizingAtLoadMappedOrStreamed) {
  const Rows rows = rows_of("qwen2");
  RewardModel model({golden("qwen2")}, pool_);
  model.quantize(plan_, pool_);
  const std::vector<float> want = rewards_of(model, rows, kApart, pool_);
  for (const Streaming streaming : {Streaming::kNever, Streaming::kAlways}) {
    const RewardModel pack({.directory = directory_, .streaming = streaming}, pool_);
    EXPECT_EQ(rewards_of(pack, rows, kApart, pool_), want);
    EXPECT_EQ(pack.weights().dtype(), "int8");
  }
}

// Half of the weights' bytes; the rest makes rewards more exact.
TEST_F(Int8Pack, WithoutTheRestIsSmallerAndLessExact) {
  const Rows rows = rows_of("qwen2");
  for (const char* name : {"q", "k", "v", "o"}) {
    for (const int layer : {0, 1})
      plan_[fmt::format("model.layers.{}.self_attn.{}_proj", layer, name)].has_rest = false;
  }
  for (const char* name : {"gate", "up", "down"}) {
    for (const int layer : {0, 1})
      plan_[fmt::format("model.layers.{}.mlp.{}_proj", layer, name)].has_rest = false;
  }
  const fs::path small = directory_ / "small";
  fs::create_directory(small);
  const RewardModel model({golden("qwen2")}, pool_);
  const Int8PackSize size = write_int8_pack(small, model.weights(), plan_, 1 << 30, pool_);
  fs::copy_file(directory_ / "config.json", small / "config.json");
  EXPECT_LT(size.num_bytes, fs::file_size(directory_ / "model.safetensors"));
  const RewardModel compact({small}, pool_), pack({directory_}, pool_);
  const std::vector<float> exact = rewards_of(model, rows, kApart, pool_);
  EXPECT_LT(relative_error(exact, rewards_of(pack, rows, kApart, pool_)),
            relative_error(exact, rewards_of(compact, rows, kApart, pool_)));
}

TEST_F(Int8Pack, RefusesAdaptersOtherVersionsAndOtherMethods) {
  EXPECT_NE(error_of({directory_, golden("llama_lora")}).find("an int8 pack takes no adapter"),
            std::string::npos);
  set_quantization({{"quant_method", "laurel-int8"}, {"version", 3}});
  EXPECT_NE(error_of({directory_}).find("key \"version\": expected 4, got 3"), std::string::npos);
  set_quantization({{"quant_method", "gptq"}});
  EXPECT_NE(error_of({directory_}).find("other than laurel-int8 and laurel-blocks are not"),
            std::string::npos);
}

TEST(Int8Inputs, AreBounded) {
  ModelConfig config = read_config(golden("qwen2"));
  EXPECT_NO_THROW(check_int8_inputs(config));
  config.intermediate_size = kernels::kMaxInt8Inputs;
  EXPECT_NO_THROW(check_int8_inputs(config));
  config.intermediate_size += 1;
  EXPECT_THROW(check_int8_inputs(config), UserError);
}

TEST_F(Int8Pack, RefusesTensorsThatAreNotThePacks) {
  set_quantization(nullptr);  // an ordinary checkpoint has no such tensors
  EXPECT_NE(error_of({directory_}).find("missing"), std::string::npos);
  set_quantization({{"quant_method", "laurel-int8"}, {"version", 4}});
  const std::string path = (directory_ / "model.safetensors").string();
  std::string bytes = read_file(path);
  write_file(path, bytes.substr(0, bytes.size() - 64));
  EXPECT_NE(error_of({directory_}), "no error");
  for (const std::string name : {"mlp.up_proj.int8_scale", "mlp.up_proj.int8_rest_sum"}) {
    std::string other = bytes;
    const std::size_t at = other.find(name);
    ASSERT_NE(at, std::string::npos);
    other[at + name.size() - 1] = '3';  // "int8_scal3"
    write_file(path, other);
    EXPECT_NE(error_of({directory_}).find(name), std::string::npos);
  }
}

}  // namespace
}  // namespace laurel::model
